import type { Clock } from "../clock.ts";
import type { Volume } from "./volume.ts";

/** Seconds between the signs of life of whoever installs. */
export const BEAT = 10;
/** Seconds without one, as this container's own clock counts them, after which it counts as dead. */
export const STALE_AFTER = 35;
const POLL = 2;

export interface LeaseOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Who asks: unique among all containers. */
  readonly owner: string;
  readonly beat?: number;
  readonly staleAfter?: number;
  readonly poll?: number;
  readonly signal?: AbortSignal | undefined;
  /** Told once, when another has it. */
  readonly onWait?: () => void;
}

/** The right to install a tool for all containers on a volume. Losing it costs double work, never a wrong result. */
export interface Lease {
  release(): Promise<void>;
}

/**
 * Waits for the right to install, or until someone else has: two containers that start at once do the work once.
 * A holder shows that it lives by changing the lease; whether it does is judged by this container's monotonic clock
 * alone, so clocks that differ or jump don't matter.
 * @param done asked before each try; what it finds ends the wait
 * @param seconds after which it returns undefined: better twice than never
 * @returns what `done` found, or the lease
 */
export async function leaseOr<T>(
  volume: Volume,
  key: string,
  done: () => Promise<T | undefined>,
  seconds: number,
  options: LeaseOptions,
): Promise<{ found: T } | { lease: Lease } | undefined> {
  const { clock, random, owner, staleAfter = STALE_AFTER, poll = POLL } = options;
  const until = clock.now() + seconds;
  let seen: { etag: string; since: number } | undefined;
  for (;;) {
    options.signal?.throwIfAborted();
    const found = await done();
    if (found !== undefined) return { found };
    const mine = await volume.create(key, body(owner, 0));
    if (mine !== undefined) return await stillToDo(hold(volume, key, mine, options), done);
    const other = await volume.get(key);
    if (other !== undefined) {
      if (seen === undefined) options.onWait?.();
      if (seen?.etag !== other.etag) seen = { etag: other.etag, since: clock.now() };
      else if (clock.now() - seen.since > staleAfter) {
        const taken = await volume.replace(key, body(owner, 0), other.etag);
        if (taken !== undefined) return await stillToDo(hold(volume, key, taken, options), done);
      }
      if (clock.now() > until) return undefined;
      await clock.sleep(poll * (0.75 + random() / 2), options.signal);
    }
  }
}

/** The work may have been done, and the lease let go, between the look at it and the lease. */
async function stillToDo<T>(
  lease: Lease,
  done: () => Promise<T | undefined>,
): Promise<{ found: T } | { lease: Lease }> {
  let found: T | undefined;
  try {
    found = await done();
  } catch (error) {
    await lease.release();
    throw error;
  }
  if (found === undefined) return { lease };
  await lease.release();
  return { found };
}

function body(owner: string, beat: number): string {
  return JSON.stringify({ owner, beat });
}

function hold(volume: Volume, key: string, first: string, options: LeaseOptions): Lease {
  const { clock, owner, beat = BEAT } = options;
  const over = new AbortController();
  let etag: string | undefined = first;
  const beating = (async () => {
    for (let n = 1; etag !== undefined; n++) {
      await clock.sleep(beat, over.signal);
      // A volume that fails now may be back at the next beat.
      etag = await volume.replace(key, body(owner, n), etag).catch(() => etag);
    }
  })().catch(() => {});
  return {
    release: async () => {
      over.abort(new Error("released"));
      await beating;
      if (etag !== undefined) await volume.remove(key).catch(() => {});
    },
  };
}
