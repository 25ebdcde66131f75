import { readdir, readFile } from "node:fs/promises";

/** Carried by everything that the loader starts, so that nothing which left its process group is lost track of. */
export const RUN_VARIABLE = "TOOL_LOADER_RUN";
/** Of proc(5)'s flags: include/linux/sched.h. */
const PF_KTHREAD = 0x00200000;
/** Passes that wait for a process without an environment: it may have been started without one. */
const PASSES_FOR_STARTING = 5;

/** Processes whose environment carries a run id that starts with `prefix`, as far as this user may see. */
export async function processesOf(prefix: string): Promise<number[]> {
  return (await look(prefix)).pids;
}

/** @returns `starting` too: whether some process is between two programs, where it has no environment to be read */
async function look(prefix: string): Promise<{ pids: number[]; starting: boolean }> {
  const needle = `${RUN_VARIABLE}=${prefix}`;
  const pids: number[] = [];
  let starting = false;
  for (const entry of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const environ = await readFile(`/proc/${entry}/environ`, "latin1").catch(() => undefined);
    if (environ === undefined) continue;
    if (environ === "") starting ||= await isProgram(entry);
    else if (environ.startsWith(needle) || environ.includes(`\0${needle}`)) pids.push(Number(entry));
  }
  return { pids, starting };
}

/** Whether a process without an environment is one that runs programs: no thread of the kernel's, and not dead. */
async function isProgram(entry: string): Promise<boolean> {
  const stat = await readFile(`/proc/${entry}/stat`, "latin1").catch(() => "");
  const [state, , , , , , flags] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state !== undefined && !/^[ZX]?$/.test(state) && (Number(flags) & PF_KTHREAD) === 0;
}

/** Processes of a group that still run. One that was killed does so for a moment, with an environment already empty. */
async function running(group: number | undefined, pids: ReadonlySet<number>): Promise<number[]> {
  const found: number[] = [];
  if (pids.size === 0 && (group === undefined || !signal(-group, 0))) return found; // as a rule: spares reading them all
  for (const entry of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, "latin1").catch(() => "");
    // proc(5): pid (comm) state ppid pgrp …; a comm may hold blanks and parentheses.
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z" || state === "X" || pgrp === undefined) continue;
    if (pids.has(Number(entry)) || Number(pgrp) === group) found.push(Number(entry));
  }
  return found;
}

/**
 * Ends every process of a run, also those that forked, changed their session or were left by a loader that was killed,
 * and comes back when they are gone. Each pass first stops all, so that none forks away while the others die.
 * @param group a process group that was killed: waited for too
 * @returns how many were ended
 */
export async function sweep(prefix: string, group?: number): Promise<number> {
  const ended = new Set<number>(); // one that dies slowly is met again
  for (let pass = 0; pass < 20; pass++) {
    const { pids, starting } = await look(prefix);
    for (const pid of pids) signal(pid, "SIGSTOP");
    for (const pid of pids) if (signal(pid, "SIGKILL")) ended.add(pid);
    const unsure = starting && pass < PASSES_FOR_STARTING;
    if (pids.length === 0 && !unsure && (await running(group, ended)).length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 5 * pass));
  }
  return ended.size;
}

/**
 * @param pid negative for a process group
 * @param name 0 sends nothing: it asks whether there is anybody
 */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false; // gone already
  }
}
