import type { Keeper } from "./prune.ts";

/**
 * Everything that a stack's state speaks of, wherever it stands: digests and the tags of content hashes. An image that a
 * workload, an output or a forgotten resource names is in use until that is gone.
 * @param state of `pulumi stack export`, or any part of it
 */
export function keepersInState(stack: string, repositories: readonly string[], state: unknown): Keeper[] {
  const text = JSON.stringify(state) ?? "";
  const references = new Set([...text.matchAll(/\bsha256:[0-9a-f]{64}\b|\bh-[0-9a-f]{64}\b/g)].map(([found]) => found));
  const reason = `in the state of stack ${stack}`;
  return repositories.flatMap((repository) =>
    [...references].sort().map((reference) => ({ repository, reference, reason })),
  );
}

/** True where a stack's state has hosts: they keep versions of their own. */
export function hasHosts(state: unknown): boolean {
  return (JSON.stringify(state) ?? "").includes('"type":"keelson:host:Host"');
}

/** True where a stack's state has clusters: their ReplicaSets keep versions. */
export function hasClusters(state: unknown): boolean {
  return (JSON.stringify(state) ?? "").includes('"type":"keelson:kubernetes:Cluster"');
}

/** The repositories of a registry that the images in a stack's state stand in, sorted. @param host as the plan has it, `embedded` for the toolchain's own */
export function repositoriesInState(state: unknown, host: string): string[] {
  const { deployment } = (state ?? {}) as { deployment?: { resources?: readonly StateResource[] } | null };
  const images = (deployment?.resources ?? []).filter(({ type }) => type === "keelson:index:Image");
  const here = images.filter(({ inputs }) => inputs?.registry?.host === host);
  return [...new Set(here.flatMap(({ inputs }) => inputs?.repository ?? []))].toSorted();
}

interface StateResource {
  readonly type: string;
  readonly inputs?: { readonly repository?: string; readonly registry?: { readonly host?: string } };
}
