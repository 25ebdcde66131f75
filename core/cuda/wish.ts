import type { CudaArch } from "./arch.ts";
import type { Capability } from "./capability.ts";

/** A machine whose card has to run an image. */
export interface CudaTarget {
  /** @example "mainpc" */
  readonly machine: string;
  readonly capability: Capability;
}

/** What an image's CUDA code is for. */
export interface CudaWish {
  readonly targets: readonly CudaTarget[];
  /** The list that it was built for; absent where its CUDA files come ready-made. */
  readonly archs?: readonly CudaArch[];
}
