import { readdirSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { execa, type Options } from "execa";

/** What a command with all that it started took. */
export interface Usage {
  /** By the clock. */
  readonly seconds: number;
  /** Of the processor, by all its processes. */
  readonly processor: number;
  /** Of all its processes, each at its largest. */
  readonly bytes: number;
  /** What it printed. */
  readonly text: string;
}

/** Milliseconds between looks: the kernel keeps each process' largest size by itself (proc_pid_status(5), VmHWM). */
const LOOK = 100;

/** Runs a command to its end and looks at its processes meanwhile. Linux only. */
export async function usage(command: string, args: readonly string[], options: Options): Promise<Usage> {
  const begin = performance.now();
  const running = execa(command, [...args], { ...options, all: true });
  const sizes = new Map<number, number>();
  const times = new Map<number, number>();
  let isOver = false;
  const ended = running.finally(() => {
    isOver = true;
  });
  const watched = (async () => {
    while (!isOver) {
      for (const pid of family(running.pid ?? 0)) {
        sizes.set(pid, Math.max(sizes.get(pid) ?? 0, largest(pid)));
        times.set(pid, Math.max(times.get(pid) ?? 0, processorTime(pid)));
      }
      await sleep(LOOK);
    }
  })();
  const { all } = await ended;
  const seconds = (performance.now() - begin) / 1000;
  await watched;
  const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
  return { seconds, processor: sum(times.values()), bytes: sum(sizes.values()), text: String(all) };
}

/** A process and all that came of it. */
function family(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const parent = /^\d+$/.test(entry) ? Number(/^PPid:\s+(\d+)/m.exec(status(Number(entry)))?.[1]) : Number.NaN;
    if (!Number.isNaN(parent)) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

function largest(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status(pid))?.[1] ?? 0) * 1024;
}

/** Ticks of a hundredth of a second: proc_pid_stat(5), utime and stime. */
function processorTime(pid: number): number {
  const fields = read(pid, "stat").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

function status(pid: number): string {
  return read(pid, "status");
}

/** Empty for one that has ended meanwhile. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
