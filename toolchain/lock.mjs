// @ts-check
// Plain JavaScript: the bootstrap needs it before there is a node that runs TypeScript.
import { randomUUID } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { takeTurn } from "./turns.mjs";

/**
 * Who holds a lock.
 * @typedef {object} Holder
 * @property {string} id
 * @property {number} pid
 * @property {string} host
 * @property {string} space - pid namespace: a pid says nothing outside it
 * @property {string} start - when the process started, in the kernel's ticks: pids are used again
 * @property {string} what - what it does, for people
 * @property {string} [since] - when it took it
 */

/** A file that stays unreadable for longer was left by a process killed while it wrote: milliseconds. */
const HALF_WRITTEN_MS = 5000;
/** @type {Map<string, string>} files of the locks that this process holds, with their ids */
const held = new Map();
process.on("exit", () => {
  for (const file of held.keys()) release(file);
});

/**
 * Runs `work` while this process holds the lock: `await withLock("/…/pulumi.lock", () => build(), { what: "building pulumi" })`.
 * Waits for another holder, without limit; breaks a lock whose holder is dead. Not reentrant.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {{ what?: string, onWait?: (holder: Holder) => void, onBroken?: (holder: Holder) => void, signal?: AbortSignal, pollMs?: number, inTurn?: boolean }} [options]
 * `onWait` is told once per holder, `onBroken` of a dead one whose lock was taken away; `inTurn`: who came first is first, for work that takes long.
 * @returns {Promise<T>}
 */
export async function withLock(file, work, options = {}) {
  const unlock = await acquireLock(file, options);
  try {
    return await work();
  } finally {
    unlock();
  }
}

/**
 * Takes the lock; the returned function gives it back.
 * @param {string} file
 * @param {{ what?: string, onWait?: (holder: Holder) => void, onBroken?: (holder: Holder) => void, signal?: AbortSignal, pollMs?: number, inTurn?: boolean }} [options]
 * @returns {Promise<() => void>}
 */
export async function acquireLock(file, options = {}) {
  mkdirSync(dirname(file), { recursive: true });
  const me = {
    id: randomUUID(),
    pid: process.pid,
    host: hostname(),
    space: pidSpace(),
    start: startOf(process.pid),
    what: options.what ?? "",
  };
  const turn = options.inTurn ? takeTurn(`${file}.queue`, me.id) : undefined;
  try {
    await wait(file, me, () => turn?.isFirst() ?? true, options);
  } finally {
    turn?.leave();
  }
  held.set(file, me.id);
  return () => release(file);
}

/**
 * @param {string} file @param {Holder} me @param {() => boolean} isFirst
 * @param {{ onWait?: (holder: Holder) => void, onBroken?: (holder: Holder) => void, signal?: AbortSignal, pollMs?: number }} options
 */
async function wait(file, me, isFirst, options) {
  let told = "";
  while (!(isFirst() && create(file, me))) {
    const holder = lockHolder(file);
    if (holder && !isDead(holder) && told !== holder.id) {
      told = holder.id;
      options.onWait?.(holder);
    }
    const free = holder ? isDead(holder) : isAbandoned(file);
    if (free && breakLock(file, holder?.id) && holder) options.onBroken?.(holder);
    await sleep(free ? 1 : (options.pollMs ?? 200), undefined, options.signal ? { signal: options.signal } : {});
  }
}

/**
 * Who holds the lock now, as one phrase for people.
 * @param {Holder} holder
 */
export function describeHolder(holder) {
  const since = holder.since ? `, since ${holder.since.slice(0, 19)}Z` : "";
  return `process ${holder.pid} on ${holder.host}${holder.what ? ` (${holder.what})` : ""}${since}`;
}

/**
 * @param {string} file
 * @returns {Holder | undefined}
 */
export function lockHolder(file) {
  try {
    const found = JSON.parse(readFileSync(file, "utf8"));
    return Number.isInteger(found.pid) && found.pid > 0 ? found : undefined;
  } catch {
    return undefined;
  }
}

/** @param {string} file @param {Holder} me */
function create(file, me) {
  try {
    writeFileSync(file, JSON.stringify({ ...me, since: new Date().toISOString() }), { flag: "wx" });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "EEXIST") return false;
    throw error;
  }
}

/** @param {string} file */
function release(file) {
  const id = held.get(file);
  held.delete(file);
  if (id !== undefined && lockHolder(file)?.id === id) rmSync(file, { force: true });
}

/**
 * Whether the holder certainly runs no more. One of another machine or container can't be judged: it counts as alive.
 * @param {Holder} holder
 */
export function isDead(holder) {
  if (holder.host !== hostname() || holder.space !== pidSpace()) return false;
  if (!runs(holder.pid)) return true;
  const start = startOf(holder.pid);
  return start !== "" && holder.start !== "" && start !== holder.start;
}

/**
 * Takes away the locks in a folder whose holders certainly run no more.
 * @param {string} folder @returns {Holder[]} whose they were
 */
export function breakDeadLocks(folder) {
  return readdirSync(folder).flatMap((name) => {
    const file = join(folder, name);
    const holder = name.endsWith(".lock") ? lockHolder(file) : undefined;
    return holder && isDead(holder) && breakLock(file, holder.id) ? [holder] : [];
  });
}

/** @param {string} file */
function isAbandoned(file) {
  const age = ageOf(file);
  return age !== undefined && age > HALF_WRITTEN_MS;
}

/**
 * Removes a dead holder's lock. Only one process at a time may remove a lock that isn't its own, and it looks again
 * first: otherwise a slow second breaker would remove the lock that the first one has just taken.
 * @param {string} file
 * @param {string | undefined} id
 * @returns {boolean} whether this process removed it
 */
function breakLock(file, id) {
  const guard = `${file}.breaking`;
  try {
    mkdirSync(guard);
  } catch {
    if ((ageOf(guard) ?? 0) > HALF_WRITTEN_MS) removeQuietly(() => rmdirSync(guard));
    return false;
  }
  try {
    return lockHolder(file)?.id === id && removeQuietly(() => unlinkSync(file));
  } finally {
    removeQuietly(() => rmdirSync(guard));
  }
}

/** @param {() => void} remove @returns {boolean} false where somebody else was faster */
function removeQuietly(remove) {
  try {
    remove();
    return true;
  } catch {
    return false;
  }
}

/** @param {string} path @returns {number | undefined} milliseconds since it was written */
function ageOf(path) {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return undefined;
  }
}

/** The pid namespace of this process, empty where there is no /proc: a pid says nothing outside it. */
export function pidSpace() {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

/**
 * Whether a process of this number runs, of whichever user. One that has ended does not, though its number stays taken
 * until its parent asks how: for ever, where a container's first process never does.
 * @param {number} pid
 */
export function runs(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ESRCH") return false;
  }
  return !["Z", "X"].includes(statOf(pid)[0] ?? "");
}

/**
 * When a process started, in clock ticks since the machine did: with its pid, which is used again, it names a process.
 * @param {number} pid @returns {string} field 22 of proc(5)'s stat, empty where there is no /proc or no such process
 */
export function startOf(pid) {
  return statOf(pid)[19] ?? "";
}

/** @param {number} pid @returns {string[]} proc(5)'s stat from field 3 on; none where there is no /proc, or no such process */
function statOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}
