import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { runs, startOf } from "./lock.mjs";

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
  /** When it was taken: milliseconds since 1970. */
  readonly taken: number;
}

/** A process may have started this much after its lock was taken, milliseconds: the clocks of both have other steps. */
const SLACK = 2000;
/** Clock ticks a second in /proc, on every architecture (USER_HZ of the kernel's ABI). */
const TICKS = 100;

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

const ATTRIBUTES = ".attrs";

/**
 * Removes the files of attributes that say nothing: the backend may write one beside each of its files, an engine that is
 * killed meanwhile leaves it empty or without its file, and the backend then refuses to read ("EOF"). It takes a file
 * without attributes as it is.
 */
export function healAttributes(state: string, project: string, stack: string): void {
  const pulumi = join(state, ".pulumi");
  const folders = [pulumi, join(pulumi, "stacks", project)].filter((folder) => existsSync(folder));
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  for (const file of [...files, ...lockFiles(state, project, stack)])
    if (file.endsWith(ATTRIBUTES) && !(existsSync(file.slice(0, -ATTRIBUTES.length)) && isJson(file)))
      rmSync(file, { force: true });
}

function isJson(file: string): boolean {
  try {
    JSON.parse(readFileSync(file, "utf8"));
    return true;
  } catch {
    return false;
  }
}

function lockFiles(state: string, project: string, stack: string): string[] {
  const folder = join(state, ".pulumi", "locks", "organization", project, stack);
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

function stackLocks(state: string, project: string, stack: string): StackLock[] {
  return lockFiles(state, project, stack).flatMap((file) => {
    try {
      const { pid, hostname, timestamp } = JSON.parse(readFileSync(file, "utf8"));
      const taken = Date.parse(timestamp);
      return typeof pid === "number" && typeof hostname === "string" ? [{ file, pid, hostname, taken }] : [];
    } catch {
      return []; // written half, or gone again: Pulumi itself judges it
    }
  });
}

function isStale(lock: StackLock): boolean {
  if (lock.hostname !== hostname()) return false;
  if (!runs(lock.pid)) return true;
  const started = startTime(lock.pid);
  return started !== undefined && started > lock.taken + SLACK; // the pid is another process' now
}

/** When a process started, milliseconds since 1970; undefined where the machine does not say. */
function startTime(pid: number): number | undefined {
  const ticks = startOf(pid);
  if (ticks === "") return undefined;
  const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1];
  return boot === undefined ? undefined : 1000 * (Number(boot) + Number(ticks) / TICKS);
}
