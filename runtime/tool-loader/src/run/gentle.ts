import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";

/** How urgent a job is: what runs in the background gives way to anything; what someone waits for is only nice. */
export type Urgency = "background" | "awaited";

/** The least of all, and nice's own default. */
export const NICENESS: Readonly<Record<Urgency, number>> = { background: 19, awaited: 10 };

const CHAINS: Record<Urgency, readonly (readonly string[])[]> = {
  background: [
    ["chrt", "--idle", "0"],
    ["ionice", "-c", "3"],
    ["nice", "-n", String(NICENESS.background)],
  ],
  awaited: [
    ["ionice", "-c", "2", "-n", "7"],
    ["nice", "-n", String(NICENESS.awaited)],
  ],
};

/**
 * The words before a command that make it give way to the gateway: a processor left alone, SCHED_IDLE, the idle I/O class,
 * niceness; each only where this system has and allows it. Children inherit all of them.
 * @param cpus processors that this process may use, as /proc/self/status lists them
 * @example gently("background") // ["taskset", "-c", "1", "chrt", "--idle", "0", "ionice", "-c", "3", "nice", "-n", "19"]
 */
export function gently(
  urgency: Urgency,
  works: (argv: readonly string[]) => boolean = runs,
  cpus: string = allowed(),
): string[] {
  // Even SCHED_IDLE keeps a processor until its system call is over: on one of them the gateway never waits for that.
  const others = urgency === "background" ? withoutFirst(cpus) : undefined;
  const chain = [...(others === undefined ? [] : [["taskset", "-c", others]]), ...CHAINS[urgency]];
  return chain.filter((words) => works([...words, "true"])).flat();
}

/** @returns undefined where there is but one, or none is said. @example withoutFirst("0-3,8") // "1-3,8" */
function withoutFirst(cpus: string): string | undefined {
  const [, first, last, rest] = /^(\d+)(?:-(\d+))?(?:,([\d,-]+))?$/.exec(cpus) ?? [];
  const next = Number(first) + 1;
  const left = last === undefined || next > Number(last) ? [] : [next === Number(last) ? last : `${next}-${last}`];
  const list = [...left, ...(rest === undefined ? [] : [rest])].join(",");
  return list === "" ? undefined : list;
}

function allowed(): string {
  try {
    return /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  } catch {
    return ""; // no Linux
  }
}

function runs(argv: readonly string[]): boolean {
  return spawnSync(argv[0] as string, argv.slice(1), { stdio: "ignore", timeout: 2000 }).status === 0;
}

/**
 * Makes a process's session as nice as a process is. Linux weighs sessions against each other before it looks at who is in
 * them (sched_autogroup, outside of control groups), so all that makes a job give way is void in a session of its own.
 * Does nothing where a system has no such groups.
 * @param pid the session's leader, or `self`
 */
export function giveWayAsSession(pid: number | "self", niceness: number = getPriority()): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    // None, another user's, or the process has ended.
  }
}
