import { parseSize } from "../size.ts";
import type { Placement } from "./placement.ts";
import type { Fleet, GpuMemory } from "./row.ts";

/** What a placement holds of its machine's GPU memory; undefined where it needs no GPU. */
export function gpuMemoryOf(placement: Placement, fleet: Pick<Fleet, "gpuMemory">): GpuMemory | undefined {
  if (!placement.needs.includes("gpu")) return undefined;
  const { services, needs } = fleet.gpuMemory;
  const byNeed = placement.needs.map((need) => needs[need]).findLast((memory) => memory !== undefined);
  return (Object.hasOwn(services, placement.service) ? services[placement.service] : undefined) ?? byNeed;
}

/** Bytes that a machine's placements hold together. */
export interface GpuMemorySum {
  readonly pinned: number;
  readonly evictable: number;
}

export function sumGpuMemory(placements: readonly Placement[], fleet: Pick<Fleet, "gpuMemory">): GpuMemorySum {
  const held = placements.flatMap((p) => gpuMemoryOf(p, fleet) ?? []);
  return {
    pinned: held.reduce((sum, memory) => sum + parseSize(memory.pinned), 0),
    evictable: held.reduce((sum, memory) => sum + parseSize(memory.evictable), 0),
  };
}
