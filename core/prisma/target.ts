import semver from "semver";
import type { Platform } from "../platform.ts";

/** What of an image decides which of Prisma's engines it runs. */
export interface PrismaSystem {
  readonly platform: Platform;
  /** As Prisma groups distributions: by /etc/os-release. `musl` is Alpine. */
  readonly distro: "debian" | "rhel" | "musl" | "nixos";
  /** Version of the libssl that is there; none where Prisma would guess. */
  readonly openssl?: OpenSsl;
}

export type OpenSsl = "1.0.x" | "1.1.x" | "3.0.x";

/** The file that an engine for it is linked against. @example libsslFile("1.1.x") // "libssl.so.1.1" */
export function libsslFile(version: OpenSsl): string {
  return version === "3.0.x" ? "libssl.so.3" : `libssl.so.${version.replace(".x", "")}`;
}

/** What Prisma takes where it finds no libssl (`defaultLibssl` in @prisma/get-platform 4 to 6). */
const GUESS: OpenSsl = "1.1.x";

/**
 * The engine that Prisma 4 to 6 ask for on a system, as getPlatform.ts of @prisma/get-platform decides.
 * @example targetOf({ platform: "linux/amd64", distro: "musl", openssl: "3.0.x" }) // "linux-musl-openssl-3.0.x"
 */
export function targetOf({ platform, distro, openssl }: PrismaSystem): string {
  if (distro === "nixos") return "linux-nixos";
  if (platform === "linux/arm64")
    return `${distro === "musl" ? "linux-musl-arm64" : "linux-arm64"}-openssl-${openssl ?? GUESS}`;
  if (distro === "musl") return openssl === "3.0.x" ? "linux-musl-openssl-3.0.x" : "linux-musl";
  return `${distro}-openssl-${openssl ?? GUESS}`;
}

/** The libssl that a target's engine is linked against; undefined where it brings its own or is for no Linux. */
export function opensslOf(target: string): OpenSsl | undefined {
  if (target === "linux-musl") return "1.1.x";
  return /-openssl-(1\.0\.x|1\.1\.x|3\.0\.x)$/.exec(target)?.[1] as OpenSsl | undefined;
}

const VERSIONS: readonly OpenSsl[] = ["1.0.x", "1.1.x", "3.0.x"];

/** Every target that a schema may name (binaryTargets.ts of @prisma/get-platform 6.19), `native` beside them. */
export const TARGETS: readonly string[] = [
  "native",
  ...["debian", "rhel", "linux-arm64", "linux-arm"].flatMap((start) => VERSIONS.map((v) => `${start}-openssl-${v}`)),
  "linux-musl",
  "linux-musl-openssl-3.0.x",
  "linux-musl-arm64-openssl-1.1.x",
  "linux-musl-arm64-openssl-3.0.x",
  "linux-nixos",
  "linux-static-x64",
  "linux-static-arm64",
  "darwin",
  "darwin-arm64",
  "windows",
  ...["11", "12", "13", "14", "15"].map((version) => `freebsd${version}`),
  "openbsd",
  "netbsd",
  "arm",
];

/** Targets that came after 4.0.0, with the first release that has them (read from the packages themselves). */
const SINCE: Readonly<Record<string, string>> = {
  "linux-musl-openssl-3.0.x": "4.8.0",
  "linux-musl-arm64-openssl-1.1.x": "4.10.0",
  "linux-musl-arm64-openssl-3.0.x": "4.10.0",
};

/** The first release that has a target, where the given one is older; undefined where it has it. */
export function comesWith(target: string, version: string): string | undefined {
  const since = SINCE[target];
  return since !== undefined && semver.lt(version, since) ? since : undefined;
}

/** Alpine brings OpenSSL 3 since 3.17. */
const ALPINE_3 = "3.17.0";

/**
 * The system of an image, by the name of the base at the bottom of it; undefined for what no table knows.
 * @example systemOf("node:22-alpine3.20", "linux/amd64") // { platform: …, distro: "musl", openssl: "3.0.x" }
 */
export function systemOf(base: string, platform: Platform): PrismaSystem | undefined {
  const name = base.toLowerCase().replace(/@sha256:[0-9a-f]+$/, "");
  for (const [pattern, distro, openssl] of SYSTEMS) {
    const found = pattern.exec(name);
    if (found !== null) return { platform, distro, openssl: typeof openssl === "string" ? openssl : openssl(found) };
  }
  return undefined;
}

const alpine = (found: RegExpExecArray): OpenSsl => {
  const version = semver.coerce(found[1]);
  return version !== null && semver.lt(version, ALPINE_3) ? "1.1.x" : "3.0.x";
};

/** By what the name says: Alpine first, since `node:22-alpine` is no Debian. Releases as their distributors list them. */
const SYSTEMS: readonly (readonly [RegExp, PrismaSystem["distro"], OpenSsl | ((found: RegExpExecArray) => OpenSsl)])[] =
  [
    [/(?:^|[/:-])alpine(?::v?|-?)(\d+\.\d+)?/, "musl", alpine],
    [/(?:^|[/:-])(?:nixos|nix)(?:[/:]|$)/, "nixos", "3.0.x"],
    [/bullseye|buster|debian:1[01]\b|debian1[01]\b/, "debian", "1.1.x"],
    [
      /bookworm|trixie|forky|(?:^|[/:-])sid\b|debian:1[2-9]\b|debian1[2-9]\b|debian:(?:stable|testing|latest)/,
      "debian",
      "3.0.x",
    ],
    [/focal|bionic|ubuntu:(?:18|20)\./, "debian", "1.1.x"],
    [/jammy|noble|ubuntu:(?:2[2-9]\.|latest)/, "debian", "3.0.x"],
    [/ubi8|rhel8|(?:rockylinux|almalinux|centos):(?:stream)?8/, "rhel", "1.1.x"],
    [/centos:7|ubi7|amazonlinux:2(?:\.0|$|-)|lambda\/nodejs:1[0-8]\b/, "rhel", "1.0.x"],
    [
      /ubi(?:9|10)|rhel(?:9|10)|(?:rockylinux|almalinux|centos):(?:stream)?(?:9|10)|fedora|amazonlinux|lambda\/nodejs/,
      "rhel",
      "3.0.x",
    ],
    [/chainguard|wolfi|(?:^|\/)debian(?::|$)/, "debian", "3.0.x"],
    // The official image without a distribution's name: Debian, bookworm or newer since node 18.
    [/(?:^|\/)node:(?:1[0-6])\b/, "debian", "1.1.x"],
    [/(?:^|\/)node(?::|$)/, "debian", "3.0.x"],
  ];
