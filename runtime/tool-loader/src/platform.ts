import { readFile } from "node:fs/promises";
import { LoaderError } from "./error.ts";

/** The platforms that tools are kept for, in OCI notation. */
export const PLATFORMS = ["linux/amd64", "linux/arm64"] as const;
export type Platform = (typeof PLATFORMS)[number];

/** The platform of a node process. @example platformOf("linux", "x64") // "linux/amd64" */
export function platformOf(os: string, arch: string): Platform {
  const name = { x64: "amd64", arm64: "arm64" }[arch];
  const platform = PLATFORMS.find((p) => p === `${os}/${name}`);
  if (platform === undefined)
    throw new LoaderError(`no tools are kept for ${os} on ${arch}`, `run it on one of ${PLATFORMS.join(", ")}`);
  return platform;
}

/** The distribution that this runs on, from os-release(5). @example "debian-12" */
export async function distribution(file = "/etc/os-release"): Promise<string> {
  const text = await readFile(file, "utf8").catch(() => "");
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?$`, "m").exec(text)?.[1] ?? "unknown";
  return `${field("ID")}-${field("VERSION_ID")}`;
}
