import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pidSpace, startOf } from "./lock.mjs";

/** A process of another container can't be judged by its pid: what it left is removed after a day, in milliseconds. */
const FOREIGN_AGE = 24 * 3600 * 1000;

/**
 * A new folder below `parent` that names the process it belongs to, after those of dead processes are removed.
 * The caller removes it; if the process is killed before, the next call with the same name does.
 * @example await scratch(home().tmp, "base") // "/home/ada/.cache/keelson/tmp/base-4711.83520.4026531836-0a1b2c3d"
 */
export async function scratch(parent: string, name: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  for (const entry of await readdir(parent)) {
    const owner = entry.startsWith(`${name}-`) ? parseOwner(entry.slice(name.length + 1)) : undefined;
    const path = join(parent, entry);
    if (owner !== undefined && (await isLeft(owner, path))) await rm(path, { recursive: true, force: true });
  }
  const owner = `${process.pid}.${startOf(process.pid)}.${space()}`;
  const dir = join(parent, `${name}-${owner}-${randomBytes(4).toString("hex")}`);
  await mkdir(dir);
  return dir;
}

interface Owner {
  readonly pid: number;
  /** In the kernel's ticks; empty where the machine does not say. */
  readonly start: string;
  /** Number of its pid namespace; empty where the machine does not say. */
  readonly space: string;
}

function parseOwner(text: string): Owner | undefined {
  const [, pid, start = "", space = ""] = /^(\d+)(?:\.(\d*)\.(\d*))?-[0-9a-f]+$/.exec(text) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), start, space };
}

async function isLeft(owner: Owner, path: string): Promise<boolean> {
  if (owner.space !== "" && owner.space !== space()) return Date.now() - (await modified(path)) > FOREIGN_AGE;
  if (!isAlive(owner.pid)) return true;
  return owner.start !== "" && startOf(owner.pid) !== owner.start; // the pid is another process' now
}

async function modified(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.mtimeMs,
    () => 0,
  );
}

function space(): string {
  return /\d+/.exec(pidSpace())?.[0] ?? "";
}

/** Whether a process of this number runs, of whichever user. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
