import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** How urgent a job is: what runs in the background gives way to anything; what someone waits for is only nice. */
export type Urgency = "background" | "awaited";

const CHAINS: Record<Urgency, readonly (readonly string[])[]> = {
  background: [
    ["chrt", "--idle", "0"],
    ["ionice", "-c", "3"],
    ["nice", "-n", "19"],
  ],
  awaited: [
    ["ionice", "-c", "2", "-n", "7"],
    ["nice", "-n", "10"],
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
