import type { MachineProfile } from "./profile.ts";

/** Seed 004, section D: what programs on a machine start with unless told otherwise. */
export interface MachineDefaults {
  /** GPUs that a service sees, as CUDA numbers them; empty without one. */
  readonly visibleGpus: readonly number[];
  /** Thread workers of a uvicorn process. */
  readonly threadWorkers: number;
  /** Threads of OpenMP, which numpy and torch compute with on the CPU. */
  readonly ompThreads: number;
  /** Bound on compiled numba kernels kept on disk, MB. */
  readonly numbaCacheMb: number;
  /** Largest block that torch's allocator splits, MB; undefined without a GPU. */
  readonly maxSplitSizeMb?: number;
  /** Share of the card's memory from which models are evicted, percent; undefined without a GPU. */
  readonly modelEvictThresholdPct?: number;
}

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/**
 * The defaults that follow from cores and memory alone. More cores or more memory never lowers one.
 *
 * - thread workers: cores times f, where f rises evenly from 1 at 8 cores to 2 at 16 (fewer: 1, more: 2); at most 128;
 * - OpenMP: half as many, so a process whose workers all compute doesn't run twice the cores; at least 1;
 * - numba: 16 MB for each thread worker, at most 1024 and at most 1/16 of the main memory; at least 16;
 * - split size: 1/384 of one GPU's memory, at least 21 (torch refuses 20 and less), at most 512;
 * - eviction: 50 % plus 20 % for each 12 GiB of one GPU's memory, at most 95: a small card keeps more of itself free.
 *
 * Fractions round to the nearest, so that a card which shows 24,564 MiB counts as one of 24 GiB.
 * @example machineDefaults(mainpc) // 16 cores, 24 GiB: 32 workers, 16 threads, 512 MB, 64 MB, 90 %
 * @example machineDefaults(pc2) // 8 cores, 12 GiB: 8 workers, 4 threads, 128 MB, 32 MB, 70 %
 * Source of 20: kLargeBuffer in torch's c10/cuda/CUDAAllocatorConfig.cpp, "max_split_size_mb too small, must be > 20".
 */
export function machineDefaults(profile: MachineProfile): MachineDefaults {
  const { cores, memory, gpu } = profile;
  const threadWorkers = Math.min(128, Math.floor(cores * clamp(cores / 8, 1, 2)));
  const common = {
    visibleGpus: Array.from({ length: gpu?.count ?? 0 }, (_, i) => i),
    threadWorkers,
    ompThreads: Math.max(1, Math.floor(threadWorkers / 2)),
    numbaCacheMb: clamp(16 * threadWorkers, 16, Math.max(16, Math.min(1024, Math.floor(memory / 16 / MIB)))),
  };
  if (gpu === undefined) return common;
  return {
    ...common,
    maxSplitSizeMb: clamp(Math.round(gpu.memory / MIB / 384), 21, 512),
    modelEvictThresholdPct: Math.min(95, Math.round(50 + (20 * gpu.memory) / (12 * GIB))),
  };
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
