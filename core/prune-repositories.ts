import { repositoryOf } from "./reference.ts";

/** What is known of where keelson's images stand in a registry. */
export interface KnownRepositories {
  /** Of the plan's images. */
  readonly planned: readonly string[];
  /** Names of images that this checkout built at any time, those that have left the catalogue since among them. */
  readonly built: readonly string[];
  /** That the states of this backend's stacks speak of. */
  readonly inStates: readonly string[];
  /** That the user named. */
  readonly named: readonly string[];
  /** That the registry lists; undefined where it lists none. */
  readonly listed: readonly string[] | undefined;
  /** Before each of the stack's repositories; empty for none. */
  readonly prefix: string;
}

/** The repositories that a prune looks into, and those that it leaves to whoever pushed into them. Both sorted. */
export interface RepositoriesToPrune {
  readonly examined: readonly string[];
  readonly others: readonly string[];
}

/**
 * Where a prune looks: into what this checkout's stacks push or pushed, and into what it is told to. Others that the
 * registry lists may be another checkout's, whose stacks nobody knows here.
 * @example repositoriesToPrune({ planned: ["web"], built: ["web", "old"], inStates: [], named: [], listed: undefined, prefix: "" }).examined
 * // ["old", "web"]
 */
export function repositoriesToPrune(known: KnownRepositories): RepositoriesToPrune {
  const { planned, built, inStates, named, listed, prefix } = known;
  const own = built.map((name) => repositoryOf(prefix, name));
  const ours = new Set([...planned, ...own, ...inStates]);
  const there = listed && new Set(listed);
  // One that nobody pushed into is asked for in vain; a named one is told by whoever asks for it.
  const examined = [...ours].filter((repository) => there?.has(repository) ?? true);
  const others = (listed ?? []).filter((repository) => prefix === "" || repository.startsWith(`${prefix}/`));
  return {
    examined: [...new Set([...examined, ...named])].toSorted(),
    others: others.filter((repository) => !ours.has(repository) && !named.includes(repository)).toSorted(),
  };
}
