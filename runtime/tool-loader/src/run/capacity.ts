/** What of the machine installers may take. */
export interface Capacity {
  readonly cpus: number;
  /** Bytes that are free for installers; the gateway's reserve is already taken off. */
  readonly memory: number;
}

/**
 * What is left for installers.
 * @param cpus CPUs that this container may use
 * @param available bytes that are free in it now
 * @param reserve bytes that stay free for the gateway
 */
export function capacity(cpus: number, available: number, reserve: number): Capacity {
  return { cpus: Math.max(1, Math.floor(cpus)), memory: Math.max(0, available - reserve) };
}

/**
 * Whether one more job fits beside those that run: one a CPU, less one that is the gateway's where there are several,
 * and only as much memory as is free. One job always runs, or nothing would ever be loaded.
 * @example fits({ cpus: 2, memory: 1e9 }, [300e6], 300e6) // false: one CPU is the gateway's
 */
export function fits(
  capacity: Capacity,
  running: readonly number[],
  next: number,
  most = Number.POSITIVE_INFINITY,
): boolean {
  if (running.length === 0) return true;
  if (running.length >= Math.min(most, Math.max(1, capacity.cpus - 1))) return false;
  return running.reduce((a, b) => a + b, 0) + next <= capacity.memory;
}
