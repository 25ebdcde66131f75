import { machineDefaults } from "./defaults.ts";
import type { MachineProfile } from "./profile.ts";

/** Environment variables, in the order of their names. */
export type Environment = Readonly<Record<string, string>>;

/**
 * The environment that a machine's services start with: seed 004's table under the names that programs read.
 *
 * - torch 2.2.2 reads PYTORCH_CUDA_ALLOC_CONF, newer torch PYTORCH_ALLOC_CONF; nothing reads TORCH_CUDA_ALLOC_CONF, which is
 *   004's name and stays beside them for scripts written after 004;
 * - THREAD_WORKERS is 004's "thread workers (uvicorn)". It is no WEB_CONCURRENCY and no UVICORN_WORKERS, which uvicorn would read as
 *   processes: 32 of them would load every model 32 times;
 * - NUMBA_CACHE_SIZE is 004's; numba itself has no such setting, services apply it to their cache folder;
 * - without a GPU, GPU_VISIBLE_DEVICES is `void`, which both CUDA and NVIDIA's container hook take as none.
 * @example machineEnvironment(mainpc).PYTORCH_CUDA_ALLOC_CONF // "max_split_size_mb:64"
 */
export function machineEnvironment(profile: MachineProfile): Environment {
  const defaults = machineDefaults(profile);
  const { maxSplitSizeMb, modelEvictThresholdPct } = defaults;
  const allocator = `max_split_size_mb:${maxSplitSizeMb}`;
  return sorted({
    GPU_VISIBLE_DEVICES: defaults.visibleGpus.length === 0 ? "void" : defaults.visibleGpus.join(","),
    MACHINE: profile.machine,
    NUMBA_CACHE_SIZE: `${defaults.numbaCacheMb}MB`,
    OMP_NUM_THREADS: String(defaults.ompThreads),
    THREAD_WORKERS: String(defaults.threadWorkers),
    ...(maxSplitSizeMb === undefined
      ? {}
      : {
          PYTORCH_ALLOC_CONF: allocator,
          PYTORCH_CUDA_ALLOC_CONF: allocator,
          TORCH_CUDA_ALLOC_CONF: allocator,
        }),
    ...(modelEvictThresholdPct === undefined ? {} : { MODEL_EVICT_THRESHOLD_PCT: String(modelEvictThresholdPct) }),
    ...profile.environment,
  });
}

/** By name, so that the same machine gives the same bytes. */
function sorted(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
