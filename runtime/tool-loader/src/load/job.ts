import { randomBytes } from "node:crypto";
import { readlink, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { reasonOf, ToolError } from "../error.ts";
import { type Lock, tryLock } from "../local/lock.ts";
import { installedTool, leftovers } from "../local/store.ts";
import { specNamed } from "../spec/named.ts";
import { SCHEMA } from "../volume/manifest.ts";
import { prunable } from "../volume/prune.ts";
import { VolumeError } from "../volume/volume.ts";
import { acquire, save } from "./acquire.ts";
import { keptAs, lockName, type Workshop } from "./workshop.ts";

/** What a job's process can be asked to do. */
export const JOBS = ["acquire", "restore", "save", "probe", "prune"] as const;
/** Tools that are restored at the same time: what one writes, another downloads. */
const RESTORED_AT_ONCE = 3;
export type JobKind = (typeof JOBS)[number];

/** Does a job and tells all of it by events; a tool that fails doesn't keep the others from theirs. */
export async function runJob(shop: Workshop, kind: JobKind, names: readonly string[]): Promise<void> {
  if (kind === "probe") return probeVolume(shop);
  if (kind === "prune") return void (await prune(shop));
  try {
    await eachTool(shop, kind, names);
  } finally {
    await finishLater(shop);
  }
}

/** Keeps what was installed; or, when the job is told to end, gives others the right to. */
export async function finishLater(shop: Workshop): Promise<void> {
  for (let task = shop.later.shift(); task !== undefined; task = shop.later.shift())
    await (shop.signal.aborted ? task.drop() : task.run());
}

async function eachTool(shop: Workshop, kind: JobKind, names: readonly string[]): Promise<void> {
  if (kind !== "restore") {
    for (const name of names) await oneTool(shop, kind, name);
    return;
  }
  const left = names.values();
  const worker = async () => {
    for (const name of left) await oneTool(shop, kind, name);
  };
  await Promise.all(Array.from({ length: RESTORED_AT_ONCE }, worker));
}

async function oneTool(shop: Workshop, kind: JobKind, name: string): Promise<void> {
  const spec = specNamed(shop.specs, name);
  try {
    if (kind === "save") await save(shop, spec);
    else await acquire(shop, spec, { install: kind === "acquire" });
  } catch (error) {
    shop.signal.throwIfAborted();
    // What is neither a refusal nor a failed command comes from the disk: it may pass.
    const transient = !(error instanceof ToolError) || error.kind === "transient";
    const log = error instanceof ToolError && error.log !== undefined ? { log: error.log } : {};
    shop.report({ event: "failed", tool: name, message: shop.redact(reasonOf(error)), transient, ...log });
  }
}

/** Whether the volume takes, gives back and removes an object. */
async function probeVolume(shop: Workshop): Promise<void> {
  const { volume } = shop;
  if (volume === undefined) return;
  const key = `v${SCHEMA}/probe/${randomBytes(8).toString("hex")}.json`;
  const body = JSON.stringify({ owner: shop.owner });
  try {
    await volume.create(key, body);
    const back = await volume.get(key);
    await volume.remove(key);
    if (back?.body !== body)
      throw new VolumeError("error", `${volume.description} does not give back what it was given`);
    shop.report({ event: "volume", fault: null, message: volume.description });
  } catch (error) {
    if (!(error instanceof VolumeError)) throw error;
    shop.report({ event: "volume", fault: error.fault, message: error.message });
  }
}

/**
 * Removes what has no use any more, locally and on the volume.
 * @param dry only tells
 * @returns what was, or would be, removed
 */
export async function prune(shop: Workshop, dry = false): Promise<string[]> {
  const kept = [...shop.specs.values()].map((spec) => keptAs(shop, spec));
  const trees = new Set(kept.map((k) => shop.at.tree(k.spec, k.fingerprint)));
  const local = await whileIdle(shop, async () => {
    for (const { spec, fingerprint } of kept) {
      // A version before serves until the one that is asked for is there; of what is on demand the next call gets that one.
      if (spec.priority === "on-demand" || (await installedTool(shop.at, spec, fingerprint)) !== undefined) continue;
      const visible = shop.at.visible(spec);
      const before = await readlink(visible).catch(() => undefined);
      if (before !== undefined) trees.add(resolve(dirname(visible), before));
    }
    const found = await leftovers(shop.at, trees);
    if (!dry) for (const path of found) await rm(path, { recursive: true, force: true });
    return found;
  });
  const remote: string[] = [];
  try {
    if (shop.volume !== undefined)
      for (const key of await prunable(shop.volume, kept, { keep: shop.config.TOOL_LOADER_KEEP })) {
        if (!dry) await shop.volume.remove(key);
        remote.push(key);
      }
  } catch (error) {
    if (!(error instanceof VolumeError)) throw error;
    shop.report({ event: "volume", fault: error.fault, message: error.message });
  }
  return [...local, ...remote];
}

/** Does something while no job is at any tool; leaves it when one is, for its scratch directory is no leftover. */
async function whileIdle(shop: Workshop, action: () => Promise<string[]>): Promise<string[]> {
  const locks: Lock[] = [];
  try {
    for (const name of shop.specs.keys()) {
      const lock = await tryLock(lockName(shop, name));
      if (lock === undefined) {
        shop.report({
          event: "note",
          level: "info",
          message: `${name} is being worked at: local disk is not pruned now`,
        });
        return [];
      }
      locks.push(lock);
    }
    return await action();
  } finally {
    for (const lock of locks) await lock.release();
  }
}
