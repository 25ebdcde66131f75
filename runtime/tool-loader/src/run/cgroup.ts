import { appendFile, mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Urgency } from "./gentle.ts";

/** Where installers are kept within limits, and how to leave it. */
export interface Cage {
  readonly version: 1 | 2;
  /** Files that take a process id: whoever writes `0` there is in. */
  readonly join: Readonly<Record<Urgency, readonly string[]>>;
  remove(): Promise<void>;
}

export interface CageLimits {
  /** Bytes for all installers together. */
  readonly memory: number;
  /** Processes. */
  readonly processes: number;
}

/**
 * Makes a control group for the installers, where this system lets us: memory and process limits, processor time that
 * nobody else wants (cpu.idle, from Linux 5.15 on; before it the least weight). With cgroup v2 a group that holds processes can't have limited children, so everything in ours first moves into a
 * leaf beside the cage, `main`.
 * @returns undefined where control groups are absent or read-only, as in most unprivileged containers.
 */
export async function makeCage(
  limits: CageLimits,
  root = "/sys/fs/cgroup",
  self = "/proc/self/cgroup",
): Promise<Cage | undefined> {
  const lines = (await readFile(self, "utf8").catch(() => "")).split("\n");
  const own = (controller: string) =>
    lines.map((l) => l.split(":")).find((p) => (p[1] ?? "").split(",").includes(controller))?.[2];
  try {
    const unified = own("");
    const controllers = await readFile(join(root, "cgroup.controllers"), "utf8").catch(() => "");
    if (unified !== undefined && controllers.includes("memory")) return await cageV2(limits, join(root, unified));
    const memory = own("memory");
    const cpu = own("cpu");
    if (memory !== undefined)
      return await cageV1(limits, join(root, "memory", memory), cpu === undefined ? undefined : join(root, "cpu", cpu));
  } catch {
    // No right to: niceness and the memory-aware schedule still hold.
  }
  return undefined;
}

/** Below a group that is there. Never recursive: where sysfs refuses with ENOENT, node's own recursive mkdir never returns. */
async function makeGroup(directory: string): Promise<void> {
  await mkdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}

async function cageV2(limits: CageLimits, own: string): Promise<Cage> {
  const [main, cage] = [join(own, "main"), join(own, "tools")];
  await makeGroup(main);
  for (const pid of (await readFile(join(own, "cgroup.procs"), "utf8")).split("\n").filter(Boolean))
    await writeFile(join(main, "cgroup.procs"), pid).catch(() => {}); // it may have ended
  await writeFile(join(own, "cgroup.subtree_control"), "+memory +pids");
  await appendFile(join(own, "cgroup.subtree_control"), "+cpu").catch(() => {});
  await makeGroup(cage);
  await writeFile(join(cage, "memory.max"), String(limits.memory));
  await writeFile(join(cage, "memory.oom.group"), "0").catch(() => {});
  await writeFile(join(cage, "pids.max"), String(limits.processes));
  await writeFile(join(cage, "cpu.weight"), "1").catch(() => {});
  await writeFile(join(cage, "cpu.idle"), "1").catch(() => {});
  const procs = [join(cage, "cgroup.procs")];
  return { version: 2, join: { background: procs, awaited: procs }, remove: () => rmdir(cage).catch(() => {}) };
}

/** @param cpu the own group of the controller `cpu`, which v1 keeps apart; somebody's wait is not worth all of it being idle */
async function cageV1(limits: CageLimits, memory: string, cpu: string | undefined): Promise<Cage> {
  const name = `tool-loader-${process.pid}`;
  const cage = join(memory, name);
  await makeGroup(cage);
  await writeFile(join(cage, "memory.limit_in_bytes"), String(limits.memory));
  const idle = cpu === undefined ? undefined : await idleV1(join(cpu, name));
  const awaited = [join(cage, "cgroup.procs")];
  return {
    version: 1,
    join: { background: idle === undefined ? awaited : [...awaited, join(idle, "cgroup.procs")], awaited },
    remove: async () => {
      for (const group of [cage, idle]) if (group !== undefined) await rmdir(group).catch(() => {});
    },
  };
}

/** @returns undefined where we may not */
async function idleV1(group: string): Promise<string | undefined> {
  try {
    await makeGroup(group);
    await writeFile(join(group, "cpu.shares"), "2");
    await writeFile(join(group, "cpu.idle"), "1").catch(() => {});
    return group;
  } catch {
    return undefined;
  }
}

/** Puts the calling process, and so all it starts, into a cage; it also offers itself first when memory runs out. */
export async function enterCage(join: readonly string[]): Promise<void> {
  await writeFile("/proc/self/oom_score_adj", "800").catch(() => {});
  for (const file of join) if (dirname(file) !== ".") await writeFile(file, "0").catch(() => {});
}
