import type { Finding } from "../finding.ts";
import { hint } from "../lineage.ts";
import { formatBytes } from "../size.ts";
import { gpuMemoryOf, sumGpuMemory } from "./memory.ts";
import type { Placement } from "./placement.ts";
import type { Fleet } from "./row.ts";

/** A machine as the fleet's checks see it. */
export interface FleetMachine {
  readonly name: string;
  /** Usable bytes of all its GPUs together, and the share from which models are evicted; undefined without one. */
  readonly gpu?: { readonly memory: number; readonly evictThresholdPct: number };
}

/**
 * What is wrong with placements on machines, all at once: ports that clash, machines that don't exist, GPU services where there is
 * no GPU, and more GPU memory than the card has (an error for what stays, a warning for what is evicted).
 */
export function placementFindings(
  placements: readonly Placement[],
  machines: readonly FleetMachine[],
  fleet: Pick<Fleet, "gpuMemory">,
): Finding[] {
  const names = machines.map((m) => m.name);
  const strangers = placements
    .filter((p) => !names.includes(p.machine))
    .map((p) =>
      finding(
        "unknown-machine",
        p.row,
        `expected a machine of the fleet's stacks, found "${p.machine}"`,
        `write one of: ${names.join(", ")}${hint(p.machine, names)}`,
      ),
    );
  return [
    ...strangers,
    ...machines.flatMap((machine) => {
      const here = placements.filter((p) => p.machine === machine.name);
      return [...portClashes(here, machine), ...gpuFindings(here, machine, fleet)];
    }),
  ];
}

function finding(
  check: string,
  subject: string,
  message: string,
  fix: string,
  severity: Finding["severity"] = "error",
) {
  return { rule: `fleet/${check}`, severity, subject, message, fix } satisfies Finding;
}

function portClashes(placements: readonly Placement[], machine: FleetMachine): Finding[] {
  const byPort = Map.groupBy(placements, (p) => p.port);
  return [...byPort]
    .toSorted(([a], [b]) => a - b)
    .filter(([, rivals]) => rivals.length > 1)
    .map(([port, rivals]) => {
      const names = rivals.map((p) => p.row);
      return finding(
        "port-clash",
        machine.name,
        `port ${port} is taken ${rivals.length} times on ${machine.name}: ${names.join(", ")}`,
        "give each its own port, or name fewer machines in a row",
      );
    });
}

function gpuFindings(
  placements: readonly Placement[],
  machine: FleetMachine,
  fleet: Pick<Fleet, "gpuMemory">,
): Finding[] {
  const { gpu } = machine;
  const users = placements.filter((p) => p.needs.includes("gpu"));
  if (gpu === undefined)
    return users.map((p) =>
      finding(
        "no-gpu",
        p.row,
        `needs a GPU, which ${machine.name} lacks`,
        "name a machine with a GPU in its row, or correct the machine's profile",
      ),
    );
  const { pinned, evictable } = sumGpuMemory(placements, fleet);
  const list = `${users.length} GPU services of ${machine.name}`;
  if (pinned > gpu.memory)
    return [
      finding(
        "gpu-memory-pinned",
        machine.name,
        `${list} hold ${formatBytes(pinned)} that can't be evicted, where the card has ${formatBytes(gpu.memory)}: ${largest(users, fleet)}`,
        "move services to another machine, or lower what a service reserves (vllm: --gpu-memory-utilization)",
      ),
    ];
  const threshold = Math.floor((gpu.memory * gpu.evictThresholdPct) / 100);
  if (pinned + evictable <= threshold) return [];
  return [
    finding(
      "gpu-memory-evicts",
      machine.name,
      `${list} want ${formatBytes(pinned + evictable)} with all their models loaded, where eviction begins at ${formatBytes(threshold)} of ${formatBytes(gpu.memory)}: models will be unloaded and loaded again`,
      "move services to another machine or choose smaller models; nothing fails",
      "warning",
    ),
  ];
}

/** The three that hold most, for the message. */
function largest(placements: readonly Placement[], fleet: Pick<Fleet, "gpuMemory">): string {
  return placements
    .map((p) => ({
      service: p.service,
      pinned: sumGpuMemory([p], fleet).pinned,
      source: gpuMemoryOf(p, fleet)?.source,
    }))
    .toSorted((a, b) => b.pinned - a.pinned || (a.service < b.service ? -1 : 1))
    .slice(0, 3)
    .map(({ service, pinned, source }) => `${service} ${formatBytes(pinned)} (${source})`)
    .join(", ");
}
