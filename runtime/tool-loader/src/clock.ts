/** Time as the loader sees it: monotonic seconds for every decision, so that a jump of the wall clock changes nothing. */
export interface Clock {
  /** Seconds since an arbitrary start; never goes back. */
  now(): number;
  /** Resolves after that many seconds; rejects with the signal's reason when it is aborted first. */
  sleep(seconds: number, signal?: AbortSignal): Promise<void>;
  /** The wall clock, for people to read; nothing is decided by it. */
  date(): Date;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => performance.now() / 1000,
  date: () => new Date(),
  sleep: (seconds, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, seconds * 1000);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};
