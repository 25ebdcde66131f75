import { access, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Artifact } from "../core/artifact.ts";
import { UserError } from "../core/error.ts";
import { debianArch, type Platform } from "../core/platform.ts";
import { prepareHome } from "./home.ts";
import { scratch } from "./leftovers.ts";
import { type FetchOptions, fetchArtifact, openStore } from "./store.ts";

const VERSION = "1.35.0-4+deb12u1+b1";

/** Debian 12's busybox-static: one program of 2 MB that runs in any image, whatever that has. Never part of one. */
const PACKAGES: Readonly<Record<Platform, Pick<Artifact, "integrity" | "size">>> = {
  "linux/amd64": { integrity: "sha256-3d3fdbe91d4660c873e14b092c213fe81c1da6362daa236eb25d0171eb108744", size: 928188 },
  "linux/arm64": { integrity: "sha256-732c9135564fc71337e0e05fb4da4d11e6c28c1834bce3e405e575afef2a52f5", size: 822236 },
};

/** When the package was current: archives of old packages are asked for that time. */
const SNAPSHOT = "20261119T021254Z";

/**
 * The path of a static busybox for a platform, fetched by its hash where this machine has none yet.
 * @example await ensureBusybox("linux/arm64") // "/home/me/.cache/keelson/tools/busybox/1.35.0-4+deb12u1+b1-arm64"
 * @throws UserError where no source has it, or it can't be unpacked.
 */
export async function ensureBusybox(platform: Platform, options: FetchOptions = {}): Promise<string> {
  const { tools, tmp, store } = prepareHome();
  const arch = debianArch(platform);
  const path = join(tools, "busybox", `${VERSION}-${arch}`);
  if (await readable(path)) return path;
  const file = `busybox-static_${VERSION}_${arch}.deb`;
  const source = `debian:bookworm/pool/main/b/busybox/${file}`;
  const artifact = { file, source, platform, ...PACKAGES[platform] };
  const deb = await fetchArtifact(artifact, openStore(store), { snapshot: SNAPSHOT, ...options });
  const work = await scratch(tmp, "busybox");
  try {
    await unpack(deb, work);
    await mkdir(join(tools, "busybox"), { recursive: true });
    await rename(join(work, "bin/busybox"), path);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return path;
}

const readable = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** With Debian's tool, else with what knows `ar` and xz: a shell's, or the tar of macOS and Windows, which reads both. */
async function unpack(deb: string, folder: string): Promise<void> {
  const script = 'ar p "$1" data.tar.xz | tar -xJ -C "$2" ./bin/busybox';
  const ways = [
    [["dpkg-deb", "--extract", deb, folder]],
    [["sh", "-c", script, "sh", deb, folder]],
    [
      ["tar", "-xf", deb, "-C", folder, "data.tar.xz"],
      ["tar", "-xf", join(folder, "data.tar.xz"), "-C", folder, "./bin/busybox"],
    ],
  ];
  const problems: string[] = [];
  for (const way of ways) {
    const problem = await tryAll(way);
    if (problem === undefined) return;
    problems.push(problem);
  }
  throw new UserError(
    `the program that polls an image's health can't be unpacked from ${deb}: ${problems.join("; ")}`,
    "install dpkg, or binutils with tar and xz, or bsdtar as tar",
  );
}

/** Runs commands one after the other. @returns what the first that failed says */
async function tryAll(commands: readonly (readonly string[])[]): Promise<string | undefined> {
  for (const [program = "", ...args] of commands) {
    const { failed, stderr, shortMessage } = await execa(program, args, { reject: false });
    if (failed) return stderr.trim() || shortMessage;
  }
  return undefined;
}
