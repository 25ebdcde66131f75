import { randomBytes } from "node:crypto";
import type { PlannedBuild } from "../core/plan.ts";
import type { BuilderSetting } from "./builder.ts";
import { remoteBuilders, resolveBuilder } from "./builder.ts";
import { builderNames, removeBuilder } from "./buildx.ts";
import { runs } from "./lock.mjs";
import type { Progress } from "./progress.ts";
import { ensureNode, nodeNames, removeNode } from "./services/index.ts";

/** A builder that knows nothing of earlier builds. */
export interface EmptyBuilder {
  /** In place of `keelson:builder`. */
  readonly setting: BuilderSetting;
  /** Its node for a planned build. */
  nodeOf(build: PlannedBuild): string;
  /** What `buildx build` needs so that it takes no step and no cache mount from an earlier build. */
  readonly arguments: readonly string[];
}

const PREFIX = "empty";

/**
 * Lends a builder without any cache. In the embedded builder's place that is a BuildKit daemon of its own, which is gone
 * with all that it holds when the work ends. Others can't be emptied: there every step runs again, with cache mounts of
 * a namespace of their own.
 * @example await withEmptyBuilder("auto", progress, ({ setting }) => …)
 */
export async function withEmptyBuilder<T>(
  setting: BuilderSetting,
  progress: Progress,
  work: (builder: EmptyBuilder) => Promise<T>,
): Promise<T> {
  const { kind } = await resolveBuilder(setting, progress);
  if (kind !== "embedded") {
    const namespace = `keelson-${randomBytes(8).toString("hex")}`;
    // @see https://github.com/moby/buildkit/blob/v0.31.0/frontend/dockerfile/docs/reference.md (BUILDKIT_CACHE_MOUNT_NS)
    const fresh = ["--no-cache", "--build-arg", `BUILDKIT_CACHE_MOUNT_NS=${namespace}`];
    return work({ setting, nodeOf: (build) => build.node, arguments: fresh });
  }
  await removeLeftovers();
  const name = `${PREFIX}-${process.pid}-${randomBytes(3).toString("hex")}`;
  try {
    const { address, platforms } = await ensureNode(name);
    const remote = { nodes: [{ name, address, platforms }] };
    return await work({ setting: { remote }, nodeOf: () => name, arguments: [] });
  } finally {
    await remove(name);
  }
}

/** Those of processes that were killed. */
async function removeLeftovers(): Promise<void> {
  for (const name of await nodeNames()) {
    const pid = new RegExp(`^${PREFIX}-(\\d+)-[0-9a-f]+$`).exec(name)?.[1];
    if (pid !== undefined && !runs(Number(pid))) await remove(name);
  }
}

async function remove(name: string): Promise<void> {
  for (const builder of await builderNames(remoteBuilders(name))) await removeBuilder(builder);
  await removeNode(name);
}
