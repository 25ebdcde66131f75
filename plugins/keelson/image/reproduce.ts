import { chmod, mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { ContextEntry } from "../../../core/context.ts";
import { UserError } from "../../../core/error.ts";
import { type Platform, platformSlug } from "../../../core/platform.ts";
import { readContext, readSource } from "../../../toolchain/context.ts";
import type { EmptyBuilder } from "../../../toolchain/empty-builder.ts";
import type { Progress } from "../../../toolchain/progress.ts";
import { BuildFailure, describeFailure } from "../failure.ts";
import { stageContext } from "../stage.ts";
import type { OpenRegistry, Toolbox } from "../toolbox.ts";
import { buildLayout } from "./build.ts";
import { basePrefix, type ImageInputs, type PlatformBuild } from "./inputs.ts";
import { stageImage } from "./staging.ts";

/** One build of an image from nothing. */
export interface Rebuild {
  readonly inputs: ImageInputs;
  readonly registry: OpenRegistry;
  readonly toolbox: Toolbox;
  readonly builder: EmptyBuilder;
  /** A folder that is this build's alone; made. */
  readonly work: string;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** Builds platforms one after the other. @returns the folder of each, an OCI image layout. @throws UserError */
export async function rebuild(
  root: string,
  order: Rebuild,
  builds: readonly PlatformBuild[],
): Promise<ReadonlyMap<Platform, string>> {
  const { toolbox, registry, work, signal, progress } = order;
  const inputs: ImageInputs = { ...order.inputs, builder: order.builder.setting };
  await mkdir(work, { recursive: true });
  const base =
    inputs.base.kind === "image"
      ? inputs.base.ref
      : await toolbox.resolveBase(inputs.base, registry, basePrefix(inputs), signal, progress);
  const staged = await stageImage(root, inputs, work, toolbox, signal);
  const { buildx, builderOf } = await toolbox.useBuilder(inputs, registry, work, progress);
  const layouts = new Map<Platform, string>();
  for (const build of builds) {
    const { platform } = build;
    const folder = join(work, `layout-${platformSlug(platform)}`);
    const builder = await builderOf(order.builder.nodeOf(build), platform);
    const ping = () => registry.client.ping();
    const onStatus = (status: string) => progress.status(`${platform}: ${status}`);
    const place = { inputs, platform, buildx, builder, host: registry.host, work, signal, onStatus, ping };
    try {
      await buildLayout({ ...place, base, staged }, folder, order.builder.arguments);
    } catch (error) {
      if (!(error instanceof BuildFailure)) throw error;
      const { message, fix } = describeFailure(error);
      throw new UserError(`${inputs.imageName} ${platform} can't be built: ${message}`, fix, { cause: error });
    }
    progress.say(`${platform}: built`);
    layouts.set(platform, folder);
  }
  return layouts;
}

/** How the files of a copy are told from those of another: none of it may reach an image. */
export interface Disguise {
  /** Of files; what may be executed may be by everyone who may read it. */
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

/**
 * Copies what an image's build reads to another checkout, whose files have another time and mode.
 * @param root the checkout that is copied from
 * @returns the inputs of a build there: sources, which may lie outside of a checkout, are inside of it
 */
export async function copySources(
  root: string,
  inputs: ImageInputs,
  target: string,
  disguise: Disguise,
): Promise<ImageInputs> {
  const folder = join(root, inputs.folder);
  const entries = await readContext(folder, join(folder, "Dockerfile"));
  await copyContext(folder, entries, join(target, inputs.folder), disguise, "Dockerfile");
  const contexts = { ...inputs.contexts };
  for (const [name, context] of Object.entries(inputs.contexts)) {
    if (context.kind === "path") {
      const from = join(root, context.path);
      await copyContext(from, await readContext(from), join(target, context.path), disguise);
    }
    if (context.kind === "source") {
      const from = resolve(root, context.path);
      const path = `sources/${name}`;
      await copyContext(from, await readSource(from), join(target, path), disguise);
      contexts[name] = { ...context, path };
    }
    if (context.kind === "lock") await copyOne(join(root, context.file), join(target, context.file));
  }
  return { ...inputs, contexts };
}

async function copyContext(
  from: string,
  entries: readonly ContextEntry[],
  to: string,
  { mode, mtime }: Disguise,
  dockerfile?: string,
) {
  await stageContext(from, entries, to);
  for (const entry of entries) {
    if (entry.kind === "symlink") continue;
    const executable = entry.kind === "directory" || entry.executable;
    await chmod(join(to, entry.path), executable ? mode | ((mode & 0o444) >> 2) : mode);
    await utimes(join(to, entry.path), mtime, mtime);
  }
  // The builder takes these whether or not they are part of the context.
  for (const file of [".dockerignore", ...(dockerfile === undefined ? [] : [dockerfile, `${dockerfile}.dockerignore`])])
    await copyOne(join(from, file), join(to, file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
}

async function copyOne(from: string, to: string): Promise<void> {
  const bytes = await readFile(from);
  await mkdir(dirname(to), { recursive: true });
  await writeFile(to, bytes);
}
