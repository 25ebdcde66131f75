import { spawnSync } from "node:child_process";

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
 * The words before a command that make it give way to the gateway: SCHED_IDLE, the idle I/O class, niceness; each only
 * where this system has and allows it. Children inherit all three.
 * @example gently("background") // ["chrt", "--idle", "0", "ionice", "-c", "3", "nice", "-n", "19"]
 */
export function gently(urgency: Urgency, works: (argv: readonly string[]) => boolean = runs): string[] {
  return CHAINS[urgency].filter((words) => works([...words, "true"])).flat();
}

function runs(argv: readonly string[]): boolean {
  return spawnSync(argv[0] as string, argv.slice(1), { stdio: "ignore", timeout: 2000 }).status === 0;
}
