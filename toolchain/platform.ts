import { PLATFORMS, type Platform } from "../core/platform.ts";

/** This machine in node's words: the part of a cache key that says where an executable runs. @example "linux-x64" */
export const hostPlatform = `${process.platform}-${process.arch}`;

/** This machine's architecture in Go's and OCI's words. */
export function goArch(arch: string = process.arch): string {
  return arch === "x64" ? "amd64" : arch;
}

/** The platform whose programs this machine's processor runs; undefined where keelson builds for none such. */
export function nativePlatform(arch: string = process.arch): Platform | undefined {
  return PLATFORMS.find((platform) => platform === `linux/${goArch(arch)}`);
}
