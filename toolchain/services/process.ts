import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * One process of this machine, told apart from a later one with the same number: Linux reuses pids, so the record
 * keeps when it started (field 22 of /proc/PID/stat, clock ticks since boot) and of which boot that is.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: string;
  readonly boot: string;
}

/** Who runs under `pid` now; undefined when nobody does, or only a zombie. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readStat(pid);
  if (stat === undefined || stat.state === "Z" || stat.state === "X") return undefined;
  return { pid, startTicks: stat.startTicks, boot: await bootId() };
}

/** Whether exactly this process still runs. */
export async function isRunning(process: ProcessIdentity): Promise<boolean> {
  const now = await identify(process.pid);
  return now !== undefined && now.startTicks === process.startTicks && now.boot === process.boot;
}

/**
 * Which set of processes this one belongs to: machine, or container. Equal paths in two of them are two things.
 * @example await pidNamespace() // "pid:[4026531836]"
 */
export async function pidNamespace(pid: number | "self" = "self"): Promise<string | undefined> {
  return readlink(`/proc/${pid}/ns/pid`).catch(() => undefined);
}

/**
 * Processes whose command line ends with these arguments: finds a service whose pid file was lost by the path of its
 * configuration, whatever program it runs under. A container's processes, which its host sees too, don't count.
 * @example await findByArguments(["serve", "/home/me/.cache/keelson/services/registry/config.yml"]) // [4711]
 */
export async function findByArguments(args: readonly string[]): Promise<number[]> {
  const own = await pidNamespace();
  return findProcesses(async (pid) => {
    const matches = endsWithArguments((await readProc(pid, "cmdline")) ?? "", args);
    return matches && (await pidNamespace(pid)) === own;
  });
}

/** Whether /proc/PID/cmdline, its words each ended by a zero byte, is a program and last of all the arguments. */
export function endsWithArguments(cmdline: string, args: readonly string[]): boolean {
  const words = cmdline.split("\0").slice(0, -1);
  return words.length > args.length && args.every((arg, i) => arg === words[words.length - args.length + i]);
}

/** Processes of a control group whose path holds `marker` as one of its parts: what a builder's steps left behind. */
export async function findByCgroup(marker: string): Promise<number[]> {
  return findProcesses(async (pid) => {
    const groups = (await readProc(pid, "cgroup")) ?? "";
    return groups.split("\n").some((line) => line.split(":").slice(2).join(":").split("/").includes(marker));
  });
}

/** Processes that were started with this variable. Those of other users don't show theirs. */
export async function findByEnvironment(name: string, value: string): Promise<number[]> {
  return findProcesses(async (pid) =>
    ((await readProc(pid, "environ")) ?? "").split("\0").includes(`${name}=${value}`),
  );
}

/** Waits until none of the processes runs. @returns those that still do after `seconds`. */
export async function waitForEnd(processes: readonly ProcessIdentity[], seconds: number): Promise<ProcessIdentity[]> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const alive: ProcessIdentity[] = [];
    for (const process of processes) if (await isRunning(process)) alive.push(process);
    if (alive.length === 0 || performance.now() > deadline) return alive;
    await sleep(20);
  }
}

/** Sends a signal; a process (or group, when negative) that is gone already is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function findProcesses(matches: (pid: number) => Promise<boolean>): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc").catch(() => [])) {
    const pid = Number(entry);
    if (Number.isInteger(pid) && pid !== process.pid && (await matches(pid))) found.push(pid);
  }
  return found.toSorted((a, b) => a - b);
}

async function readStat(pid: number): Promise<{ state: string; startTicks: string } | undefined> {
  const text = await readProc(pid, "stat");
  // The command name stands in parentheses and may hold anything, parentheses too: the fields begin after the last.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields?.[0], fields?.[19]];
  return state === undefined || startTicks === undefined ? undefined : { state, startTicks };
}

async function readProc(pid: number, file: string): Promise<string | undefined> {
  return readFile(`/proc/${pid}/${file}`, "utf8").catch(() => undefined); // it may end at any moment
}

async function bootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}
