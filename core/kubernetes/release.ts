import type { Readiness } from "./readiness.ts";
import type { Trouble } from "./trouble.ts";

/** By where they are: how often init containers had been started anew while something else of the release got ready. */
export type Patience = Map<string, number>;

/** Starts that an init container has after everything else is ready: one may have been under way already. */
const STARTS = 2;

/**
 * What keeps a release for good, by one look at all of its workloads.
 *
 * An init container may wait for another workload, such as a migration for its database, by crashing until that is there.
 * So its crashes are no trouble while another one still gets ready, and for {@link STARTS} starts afterwards.
 * @param patience what looks before this one have seen; this one adds to it
 */
export function releaseTroubles(judged: readonly Readiness[], patience: Patience): Trouble[] {
  const isGettingReady = judged.some(({ verdict }) => verdict === "wait");
  return judged
    .filter(({ verdict }) => verdict === "fatal")
    .flatMap(({ troubles }) => {
      const fatal = troubles.filter(({ verdict }) => verdict === "fatal");
      return fatal.length > 0 && fatal.every((trouble) => mayPass(trouble, isGettingReady, patience)) ? [] : troubles;
    });
}

function mayPass({ where, initRestarts }: Trouble, isGettingReady: boolean, patience: Patience): boolean {
  if (initRestarts === undefined) return false;
  if (isGettingReady) patience.set(where, initRestarts);
  const seen = patience.get(where);
  return seen !== undefined && initRestarts < seen + STARTS;
}
