/** The platforms that keelson builds for, in OCI notation (`os/architecture`). */
export const PLATFORMS = ["linux/amd64", "linux/arm64"] as const;

/** @example "linux/arm64" */
export type Platform = (typeof PLATFORMS)[number];

/** Debian's name of the architecture. @example debianArch("linux/amd64") // "amd64" */
export function debianArch(platform: Platform): "amd64" | "arm64" {
  return platform === "linux/amd64" ? "amd64" : "arm64";
}

/** The platform as part of a file name or tag. @example platformSlug("linux/arm64") // "linux-arm64" */
export function platformSlug(platform: Platform): string {
  return platform.replaceAll("/", "-");
}
