import type { Platform } from "../platform.ts";
import { PART } from "./directory.ts";
import type { Kept } from "./keeper.ts";
import { ARCHIVES, archiveKey, LEASES, MANIFESTS, manifestKey, parseManifest, QUARANTINE } from "./manifest.ts";
import type { Listed, Volume } from "./volume.ts";

const HOUR = 3600;
const DAY = 24 * HOUR;

export interface PruneOptions {
  /** Manifests of other versions that stay, newest first: for containers that still run the version before. */
  readonly keep: number;
  /** Seconds that an unreferenced archive stays: its manifest may be on the way. */
  readonly grace?: number;
}

/**
 * What of a volume has no use any more. Only tools that this loader knows are pruned, so that loaders with other specs
 * can share the volume; while a manifest is there that it can't read, no archive goes at all. One that is torn, and has been for a
 * day, is nobody's.
 * @returns the keys to remove, in the order in which to remove them: manifests before archives
 */
export async function prunable(volume: Volume, current: readonly Kept[], options: PruneOptions): Promise<string[]> {
  const { keep, grace = DAY } = options;
  const listed = await volume.list(MANIFESTS);
  const manifests = listed.filter((m) => !isHalf(m));
  const mine = new Set(current.map((k) => manifestKey(k.spec, k.platform, k.fingerprint)));
  const known = new Set(current.map((k) => groupOf(k.spec.name, k.platform)));
  const gone = new Set(listed.filter((m) => isHalf(m) && m.age > HOUR).map((m) => m.key));
  for (const [group, versions] of Map.groupBy(manifests, (m) =>
    m.key.slice(MANIFESTS.length).split("/").slice(0, 2).join("/"),
  )) {
    if (!known.has(group)) continue;
    const others = versions
      .filter((m) => !mine.has(m.key))
      .toSorted((a, b) => a.age - b.age || (a.key < b.key ? -1 : 1));
    for (const old of others.slice(keep)) if (old.age > HOUR) gone.add(old.key);
  }
  const referenced = new Set<string>();
  let readable = true;
  for (const { key, age } of manifests) {
    if (gone.has(key)) continue;
    const manifest = parseManifest((await volume.get(key))?.body ?? "");
    if (manifest === "torn" && age > DAY) gone.add(key);
    else if (typeof manifest === "string") readable = false;
    else referenced.add(archiveKey(manifest));
  }
  const old = (listed: readonly Listed[], age: number) => listed.filter((l) => l.age > age).map((l) => l.key);
  const archives = readable ? old(await volume.list(ARCHIVES), grace).filter((key) => !referenced.has(key)) : [];
  return [...gone, ...archives, ...old(await volume.list(LEASES), DAY), ...old(await volume.list(QUARANTINE), 7 * DAY)];
}

/** What a killed loader left on a mounted volume: written beside its name, and never renamed to it. */
function isHalf({ key }: Listed): boolean {
  return key.endsWith(PART);
}

function groupOf(tool: string, platform: Platform): string {
  return `${tool}/${platform.replace("/", "-")}`;
}
