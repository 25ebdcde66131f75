/** How waits between attempts grow. */
export interface Backoff {
  /** Seconds before the second attempt, at most. */
  readonly first: number;
  /** Seconds that no wait exceeds. */
  readonly cap: number;
}

/** Two seconds, then twice as long each time, never more than two minutes. */
export const DEFAULT_BACKOFF: Backoff = { first: 2, cap: 120 };

/**
 * Seconds to wait after a failed attempt: exponential, of which the upper half is random ("equal jitter"), so that
 * containers that failed together don't come back together.
 * @example retryDelay(3, () => 0.5) // 6: between 4 and 8
 * @param attempt the attempt that failed, from 1
 * @param random a number in [0, 1)
 */
export function retryDelay(attempt: number, random: () => number, backoff: Backoff = DEFAULT_BACKOFF): number {
  const full = Math.min(backoff.cap, backoff.first * 2 ** Math.min(attempt - 1, 30));
  return full / 2 + (random() * full) / 2;
}
