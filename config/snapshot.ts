import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Snapshot } from "../core/impact.ts";
import { loadWholePlan, type Surroundings } from "./load.ts";
import type { StackConfig } from "./schema.ts";

/** A stack's plan with the bytes behind its hashes, from the checkout as it is. */
export async function currentSnapshot(
  root: string,
  stack: string,
  config: StackConfig,
  around: Surroundings | Promise<Surroundings>,
  sourcesBase = root,
): Promise<Snapshot> {
  const { plan, catalogue } = await loadWholePlan(root, stack, config, around, sourcesBase);
  return { plan, catalogue };
}

/** Where `up` keeps what it last brought about, to compare the next preview with. */
function snapshotFile(root: string, stack: string): string {
  return join(root, ".keelson", `${stack}.snapshot.json`);
}

/** What the last `up` of this checkout brought about; undefined before the first. */
export async function lastSnapshot(root: string, stack: string): Promise<Snapshot | undefined> {
  try {
    return JSON.parse(await readFile(snapshotFile(root, stack), "utf8"));
  } catch {
    return undefined; // none yet, or cut short: the next up writes it anew
  }
}

export async function keepSnapshot(root: string, stack: string, { plan, catalogue }: Snapshot): Promise<void> {
  const file = snapshotFile(root, stack);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify({ plan, catalogue }));
}
