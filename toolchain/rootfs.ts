import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { execa } from "execa";
import { UserError } from "../core/error.ts";
import type { Platform } from "../core/platform.ts";
import type { Builder } from "./builder.ts";
import { nativePlatform } from "./platform.ts";
import type { Progress } from "./progress.ts";
import { ensureTool } from "./tools.ts";

/**
 * Puts an image's files into a folder as they are in a container: owners, modes, links. The builder lays the layers on one another,
 * because it keeps each inside of the image; what arrives is one archive in which no link stands before what goes through it.
 * @param ref with its digest
 * @param folder an empty one of the caller's; needs root
 * @throws UserError when the builder can't read the image, or the disk is full.
 */
export async function unpackImage(ref: string, folder: string, builder: Builder, progress: Progress): Promise<void> {
  const platform = nativePlatform();
  const node = builder.nodes.find(({ native }) => native.some((p) => p === platform));
  if (platform === undefined || node === undefined)
    throw new UserError(
      `no node of the builder has this machine's platform (${process.arch})`,
      "add one to keelson:builder, or don't run the image here",
    );
  const work = await mkdtemp(`${folder}.context-`);
  try {
    await writeFile(join(work, "Dockerfile"), `FROM ${ref}\n`);
    await mkdir(join(work, "empty"));
    const { path } = await ensureTool("buildx", progress);
    progress.status("unpacking the image");
    const build = execa(path, buildArguments(node.builder, platform, work), {
      env: { ...builder.env, BUILDX_NO_DEFAULT_ATTESTATIONS: "1" },
      stdin: "ignore",
      encoding: "buffer",
      buffer: { stdout: false },
      reject: false,
    });
    const tar = execa("tar", ["-x", "-p", "--same-owner", "--numeric-owner", "-C", folder], { reject: false });
    await pipeline(build.stdout, tar.stdin).catch(() => {}); // whichever ended too early says why
    const [built, unpacked] = await Promise.all([build, tar]);
    if (unpacked.failed && unpacked.stderr !== "") fail(ref, unpacked.stderr);
    if (built.failed) fail(ref, Buffer.from(built.stderr).toString());
    if (unpacked.failed) fail(ref, unpacked.shortMessage ?? "");
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function buildArguments(builder: string, platform: Platform, work: string): string[] {
  const where = ["--builder", builder, "--platform", platform, "--provenance=false", "--sbom=false"];
  return [
    "build",
    ...where,
    "--progress=plain",
    "--output=type=tar,dest=-",
    "--file",
    join(work, "Dockerfile"),
    join(work, "empty"),
  ];
}

function fail(ref: string, said: string): never {
  const last = said.trim().split("\n").at(-1) ?? "";
  throw new UserError(
    `${ref} can't be unpacked: ${last}`,
    "see that the builder runs and the disk has room, then run this again",
  );
}
