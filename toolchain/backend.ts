import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

/** Whether Pulumi's local backend in `state` has the stack. */
export function stackExists(state: string, project: string, stack: string): boolean {
  const file = join(state, ".pulumi", "stacks", project, `${stack}.json`);
  return existsSync(file) || existsSync(`${file}.gz`);
}

/** Who holds a stack's lock in Pulumi's local backend. */
export interface StackLock {
  readonly file: string;
  readonly pid: number;
  readonly hostname: string;
}

/** The stack's locks that a live process holds. */
export function liveStackLocks(state: string, project: string, stack: string): StackLock[] {
  return stackLocks(state, project, stack).filter((lock) => !isStale(lock));
}

/**
 * Removes the stack's locks whose process is gone: a killed engine leaves its lock, and every later run would be
 * refused. A lock of another machine stays, since this one can't know.
 * @returns the removed locks.
 */
export function breakStaleLocks(state: string, project: string, stack: string): StackLock[] {
  const stale = stackLocks(state, project, stack).filter(isStale);
  for (const lock of stale) rmSync(lock.file, { force: true });
  return stale;
}

function stackLocks(state: string, project: string, stack: string): StackLock[] {
  const folder = join(state, ".pulumi", "locks", "organization", project, stack);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const file = join(folder, name);
    try {
      const { pid, hostname } = JSON.parse(readFileSync(file, "utf8"));
      return typeof pid === "number" && typeof hostname === "string" ? [{ file, pid, hostname }] : [];
    } catch {
      return []; // written half, or gone again: Pulumi itself judges it
    }
  });
}

function isStale(lock: StackLock): boolean {
  if (lock.hostname !== hostname()) return false;
  try {
    process.kill(lock.pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
