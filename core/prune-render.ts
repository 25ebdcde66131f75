import type { PruneDecision, StoredManifest } from "./prune.ts";
import { formatTable } from "./table.ts";
import { isBuildTag } from "./tags.ts";

/**
 * A decision as text: a line for each version, with the manifests that are part of it or about it counted beside it.
 * @example formatPrune("localhost:5443", decision)
 */
export function formatPrune(host: string, { keep, drop }: PruneDecision): string {
  const kept = versions(keep.map(({ manifest, reason }) => ({ ...manifest, reason })));
  const dropped = versions(drop);
  const parts: string[] = [];
  if (kept.length > 0)
    parts.push(
      `kept in ${host}:\n${formatTable(
        [...COLUMNS, "because"],
        kept.map(({ top, parts }) => [...cells(top, parts), top.reason]),
      )}`,
    );
  parts.push(
    dropped.length === 0
      ? "nothing to delete"
      : `to delete from ${host}:\n${formatTable(
          COLUMNS,
          dropped.map(({ top, parts }) => cells(top, parts)),
        )}`,
  );
  return parts.join("\n\n");
}

/** How many versions there are among manifests: platforms and referrers count with what they belong to. */
export function countVersions(manifests: readonly StoredManifest[]): number {
  return versions(manifests).length;
}

const COLUMNS = ["repository", "digest", "tag", "parts"] as const;

interface Version<M> {
  readonly top: M;
  /** Platforms and referrers that go where it goes. */
  readonly parts: number;
}

/** Manifests that nothing else in the list leads to, each with how many it leads to. */
function versions<M extends StoredManifest>(manifests: readonly M[]): Version<M>[] {
  const byKey = new Map(manifests.map((m) => [`${m.repository}@${m.digest}`, m]));
  const leadsTo = new Map<string, string[]>();
  const led = new Set<string>();
  const lead = (repository: string, from: string, to: string): void => {
    const [a, b] = [`${repository}@${from}`, `${repository}@${to}`];
    if (!byKey.has(a) || !byKey.has(b) || a === b) return;
    leadsTo.set(a, [...(leadsTo.get(a) ?? []), b]);
    led.add(b);
  };
  for (const { repository, digest, children, subject } of manifests) {
    for (const child of children) lead(repository, digest, child);
    if (subject !== undefined) lead(repository, subject, digest);
  }
  const free = manifests.filter(({ repository, digest }) => !led.has(`${repository}@${digest}`));
  // What only leads round has no top of its own; nothing that goes is left out of the list.
  const reached = new Set(free.flatMap((m) => [...reach(`${m.repository}@${m.digest}`, leadsTo)]));
  const tops = manifests.filter((m) => {
    const key = `${m.repository}@${m.digest}`;
    if (free.includes(m)) return true;
    if (reached.has(key)) return false;
    for (const below of reach(key, leadsTo)) reached.add(below);
    return true;
  });
  return tops.map((top) => ({ top, parts: reach(`${top.repository}@${top.digest}`, leadsTo).size - 1 }));
}

function reach(start: string, leadsTo: ReadonlyMap<string, readonly string[]>): Set<string> {
  const found = new Set<string>();
  const visit = (key: string): void => {
    if (found.has(key)) return;
    found.add(key);
    leadsTo.get(key)?.forEach(visit);
  };
  visit(start);
  return found;
}

function cells({ repository, digest, tags }: StoredManifest, parts: number): string[] {
  return [repository, digest.slice("sha256:".length).slice(0, 12), formatTags(tags), String(parts)];
}

/** The tag that people know it by, and how many more there are; JSON has all. */
function formatTags(tags: readonly string[]): string {
  const [first] = tags.toSorted((a, b) => Number(isBuildTag(a)) - Number(isBuildTag(b)) || (a < b ? -1 : 1));
  if (first === undefined) return "-";
  const short = first.replace(/[0-9a-f]{64}/, (hash) => `${hash.slice(0, 12)}…`);
  return tags.length > 1 ? `${short} +${tags.length - 1}` : short;
}
