import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { ArtifactLock } from "../../../core/artifact.ts";
import { UserError } from "../../../core/error.ts";
import { contextHash, imageContentHash, lockHash, sha256 } from "../../../core/hash.ts";
import { type Platform, platformSlug } from "../../../core/platform.ts";
import type { VolumeAccess } from "../../../core/volume/consumers.ts";
import { isVolume, takesWheels, WHEELHOUSE_STAGE } from "../../../core/wheelhouse.ts";
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
type Stagers = Pick<Toolbox, "stageLock" | "stageWheels">;

/**
 * Stages what a build reads into a work folder, and holds it against the planned content hash.
 * @throws UserError where a file changed since the plan was made.
 */
export async function stageImage(
  root: string,
  inputs: SourceInputs,
  work: string,
  toolbox: Stagers,
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
  const { wheelhouse } = inputs;
  // Beside what the content hash is made of: it says where bytes come from, and hashes which.
  if (wheelhouse !== undefined && isVolume(wheelhouse) && takesWheels(text))
    named.push([WHEELHOUSE_STAGE, await stageWheelhouse(root, inputs, wheelhouse, work, toolbox, signal)]);
  return {
    context,
    dockerfile: stageDockerfile(text, join(work, "dockerfile")),
    async namedContexts(platform) {
      const placed = await Promise.allSettled(named.map(([, staged]) => staged.place(platform)));
      // None may still be writing when the work folder goes.
      const failed = placed.find((one) => one.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      return Object.fromEntries(placed.map((one, i) => [named[i]?.[0], one.status === "fulfilled" ? one.value : ""]));
    },
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
  toolbox: Stagers,
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
  const { file } = context;
  const text = await readText(join(root, file), inputs.imageName);
  const hash = lockHash(JSON.parse(text) as ArtifactLock);
  return {
    hash,
    place: async (platform) => {
      const target = join(work, "locks", `${name}-${platformSlug(platform)}-${hash.slice(0, 12)}`);
      await timed(`packages ${inputs.imageName} ${platform}`, () =>
        toolbox.stageLock({ file, text }, platform, target, inputs.wheelhouse, signal),
      );
      return target;
    },
  };
}

/** The wheels of an image's sources, whose lock pip reads in the build. */
async function stageWheelhouse(
  root: string,
  { contexts, imageName }: SourceInputs,
  volume: VolumeAccess,
  work: string,
  toolbox: Stagers,
  signal: AbortSignal,
): Promise<StagedContext> {
  const sources = Object.values(contexts).filter((context) => context.kind === "source");
  const file = `${sources[0]?.path ?? "."}/requirements.lock`;
  const text = await readText(resolve(root, file), imageName);
  const hash = sha256(text);
  return {
    hash,
    place: async (platform) => {
      const target = join(work, "wheelhouse", `${imageName}-${platformSlug(platform)}-${hash.slice(0, 12)}`);
      await timed(`wheels ${imageName} ${platform}`, () =>
        toolbox.stageWheels({ file, text }, platform, target, volume, signal),
      );
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
