import { randomBytes } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pidSpace, runs, startOf } from "./lock.mjs";

/** Milliseconds. */
const DAY = 24 * 3600 * 1000;
/** A process of another container can't be judged by its pid: what it left is removed after a day, in milliseconds. */
const FOREIGN_AGE = DAY;

const made = new Set<string>();
process.on("exit", () => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

/**
 * A new folder below `parent` that names the process it belongs to, after those of dead processes are removed.
 * The caller removes it; if the process ends before, so does its end, and after kill -9 the next call with the same name.
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
  made.add(dir);
  await mkdir(dir);
  return dir;
}

/** Removes every folder of {@link scratch} below `parent` whose process is dead, whatever its name. @returns their names. */
export async function removeDead(parent: string): Promise<string[]> {
  const removed: string[] = [];
  for (const entry of (await readdir(parent)).toSorted()) {
    const owner = parseOwner(/-(\d+(?:\.\d*\.\d*)?-[0-9a-f]+)$/.exec(entry)?.[1] ?? "");
    if (owner === undefined || !(await isLeft(owner, join(parent, entry)))) continue;
    await rm(join(parent, entry), { recursive: true, force: true });
    removed.push(entry);
  }
  return removed;
}

/**
 * Removes files of a cache that were written so many days ago: what is wanted still is written anew. It looks once a day,
 * and says so by the time of a file of its own.
 * @example await removeOld(home().compileCache, 14)
 */
export async function removeOld(cache: string, days: number): Promise<void> {
  const looked = join(cache, ".looked");
  if (Date.now() - (await modified(looked)) < DAY || !existsSync(cache)) return;
  await writeFile(looked, "");
  for (const entry of await readdir(cache, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && Date.now() - (await modified(path)) > days * DAY) await rm(path, { force: true });
  }
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
  if (!runs(owner.pid)) return true;
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
