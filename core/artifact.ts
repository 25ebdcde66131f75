import type { Platform } from "./platform.ts";

/**
 * One file that a build or a base needs from outside, pinned by hash. A lock file is `{ "artifacts": Artifact[] }`,
 * sorted by file, then platform.
 *
 * `source` says where it comes from without naming a host, so that mirrors and caches can serve it:
 * - `debian:<suite>/<pool path>`, suite such as `bookworm`, `bookworm-updates` or `bookworm-security`;
 * - `npm:<name>@<version>`; `pypi:<file name>@<name>==<version>`; `crates:<name>@<version>`;
 * - `go:<package>@<version>#go<release>`: a program, built by that release of Go; the artifact names its platform;
 * - `https://…` for anything else.
 * @example { file: "curl_7.88.1_amd64.deb", source: "debian:bookworm/pool/main/c/curl/curl_7.88.1_amd64.deb",
 *   integrity: "sha256-…hex…", size: 315000, platform: "linux/amd64" }
 */
export interface Artifact {
  /** Name in the directory that the build sees; may hold slashes, never `..`. */
  readonly file: string;
  readonly source: string;
  /** `sha256-<hex>` (Debian, PyPI, crates) or `sha512-<base64>` (npm's own notation). */
  readonly integrity: string;
  /** Bytes. */
  readonly size: number;
  /** Absent: every platform gets it. */
  readonly platform?: Platform;
  /** For reports: package name and version. */
  readonly name?: string;
  readonly version?: string;
}

export interface ArtifactLock {
  /**
   * How new the package indexes were that the lock was resolved from, `YYYYMMDDTHHMMSSZ`: mirrors drop a package when it
   * is superseded, archives of old packages are asked for that time. Absent where the lock has no Debian packages.
   */
  readonly snapshot?: string;
  readonly artifacts: readonly Artifact[];
}
