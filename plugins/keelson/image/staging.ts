import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { ArtifactLock } from "../../../core/artifact.ts";
import { UserError } from "../../../core/error.ts";
import { contextHash, imageContentHash, lockHash } from "../../../core/hash.ts";
import { type Platform, platformSlug } from "../../../core/platform.ts";
import { readContext, readSource } from "../../../toolchain/context.ts";
import { timed } from "../../../toolchain/timings.ts";
import { stageContext, stageDockerfile } from "../stage.ts";
import type { Toolbox } from "../toolbox.ts";
import type { SourceInputs } from "./inputs.ts";

/** An image's build context and Dockerfile, staged: exactly the bytes that its content hash was made of. */
export interface StagedImage {
  readonly context: string;
  readonly dockerfile: string;
  /** Where a platform's named contexts are. @example { debs: "/…/debs-linux-arm64-0a1b2c3d4e5f" } */
  namedContexts(platform: Platform): Promise<Readonly<Record<string, string>>>;
}

type NamedContext = SourceInputs["contexts"][string];

/**
 * Stages what a build reads into a work folder, and holds it against the planned content hash.
 * @throws UserError where a file changed since the plan was made.
 */
export async function stageImage(
  root: string,
  inputs: SourceInputs,
  work: string,
  toolbox: Pick<Toolbox, "stageLock">,
  signal: AbortSignal,
): Promise<StagedImage> {
  const folder = join(root, inputs.folder);
  const text = await readText(join(folder, "Dockerfile"), inputs.imageName);
  const entries = await readContext(folder, join(folder, "Dockerfile"));
  const named = await Promise.all(
    Object.entries(inputs.contexts).map(async ([name, context]) => {
      const staged = await stageNamed(root, inputs, name, context, work, toolbox, signal);
      return [name, staged] as const;
    }),
  );
  checkHash(inputs, {
    dockerfile: text,
    target: inputs.target,
    args: inputs.args,
    context: entries,
    contexts: Object.fromEntries(named.map(([name, { hash }]) => [name, hash])),
    base: inputs.base.hash ?? "",
  });
  const context = join(work, "context", `${inputs.imageName}-${contextHash(entries).slice(0, 12)}`);
  await stageContext(folder, entries, context);
  return {
    context,
    dockerfile: stageDockerfile(text, join(work, "dockerfile")),
    namedContexts: async (platform) =>
      Object.fromEntries(
        await Promise.all(named.map(async ([name, staged]) => [name, await staged.place(platform)] as const)),
      ),
  };
}

interface StagedContext {
  readonly hash: string;
  /** What buildx is told for a platform. */
  place(platform: Platform): Promise<string>;
}

async function stageNamed(
  root: string,
  inputs: SourceInputs,
  name: string,
  context: NamedContext,
  work: string,
  toolbox: Pick<Toolbox, "stageLock">,
  signal: AbortSignal,
): Promise<StagedContext> {
  if (context.kind === "image") return { hash: context.hash ?? "", place: async () => `docker-image://${context.ref}` };
  if (context.kind === "path" || context.kind === "source") {
    const source = resolve(root, context.path);
    const entries = await (context.kind === "path" ? readContext(source) : readSource(source));
    const hash = contextHash(entries);
    const target = join(work, "named", `${inputs.imageName}-${name}-${hash.slice(0, 12)}`);
    await stageContext(source, entries, target);
    return { hash, place: async () => target };
  }
  const lock = JSON.parse(await readText(join(root, context.file), inputs.imageName)) as ArtifactLock;
  const hash = lockHash(lock);
  return {
    hash,
    place: async (platform) => {
      const target = join(work, "locks", `${name}-${platformSlug(platform)}-${hash.slice(0, 12)}`);
      await timed(`packages ${inputs.imageName} ${platform}`, () => toolbox.stageLock(lock, platform, target, signal));
      return target;
    },
  };
}

function checkHash(inputs: SourceInputs, seen: Parameters<typeof imageContentHash>[0]): void {
  const planned = [inputs.base, ...Object.values(inputs.contexts)];
  if (planned.some((part) => part.hash === undefined)) return; // whoever gave no hashes trusts the content hash
  if (imageContentHash(seen) === inputs.contentHash) return;
  throw new UserError(
    `what ${inputs.imageName} is built from changed after its plan was made`,
    "run it again once the files are at rest",
  );
}

async function readText(file: string, image: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new UserError(`${image} is built from ${file}, which can't be read`, "put it back, or correct its path", {
      cause,
    });
  }
}
