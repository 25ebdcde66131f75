import type { Artifact, ArtifactLock } from "./artifact.ts";

/** A package whose version moved between two locks; `from` is absent for a new one, `to` for one that left. */
export interface ArtifactChange {
  readonly name: string;
  readonly from?: string;
  readonly to?: string;
}

/**
 * What moved between two states of a lock, by name; a package that moved alike on all platforms is told once.
 * @example artifactChanges(before, after) // [{ name: "curl", from: "7.88.1-10+deb12u14", to: "7.88.1-10+deb12u15" }]
 */
export function artifactChanges(before: ArtifactLock, after: ArtifactLock): ArtifactChange[] {
  const [old, now] = [versions(before), versions(after)];
  const names = [...new Set([...old.keys(), ...now.keys()])].toSorted();
  return names.flatMap((name) => {
    const [from, to] = [old.get(name), now.get(name)];
    if (from === to) return [];
    return [{ name, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }];
  });
}

/** `curl  7.88.1-10 → 7.88.1-11`, a line each. */
export function formatChanges(changes: readonly ArtifactChange[]): string {
  const width = Math.max(0, ...changes.map((c) => c.name.length));
  return changes.map((c) => `${c.name.padEnd(width)}  ${c.from ?? "(new)"} → ${c.to ?? "(gone)"}`).join("\n");
}

function versions(lock: ArtifactLock): Map<string, string> {
  const found = new Map<string, Set<string>>();
  for (const a of lock.artifacts) {
    const name = a.name ?? a.file;
    found.set(name, (found.get(name) ?? new Set()).add(a.version ?? a.integrity));
  }
  return new Map([...found].map(([name, all]) => [name, [...all].toSorted().join(", ")]));
}

/** Artifacts in the order of lock files: by file, then platform. */
export function sortArtifacts(artifacts: readonly Artifact[]): Artifact[] {
  const key = (a: Artifact) => `${a.file}\n${a.platform ?? ""}`;
  return artifacts.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
