import type { Capability } from "./capability.ts";

/** A compute capability and the CUDA toolkits that compile for it. */
export interface Generation {
  readonly capability: Capability;
  /** NVIDIA's name of the architecture. */
  readonly name: string;
  /** An integrated GPU of the Tegra line (Jetson, DRIVE): its machine code and that of cards are not exchangeable. */
  readonly tegra?: true;
  /** First toolkit whose ptxas takes `sm_XY`. */
  readonly first: string;
  /** Last toolkit whose ptxas takes it; absent while the newest one does. */
  readonly last?: string;
  /** First toolkit that takes the architecture-specific `sm_XYa`; absent where there is none. */
  readonly firstA?: string;
  /** First toolkit that takes the family-specific `sm_XYf`; absent where there is none. */
  readonly firstF?: string;
}

/**
 * Every compute capability that CUDA 9 to 13.5 compile for, in order.
 *
 * Sources: from 11.7 on, the values that `ptxas --help` lists for `--gpu-name`, read from the compilers of the
 * toolkits 11.7.99, 11.8.89, 12.0.76, 12.1.105, 12.4.131, 12.6.20, 12.8.61, 12.9.41, 13.0.48, 13.1.80, 13.2.51,
 * 13.3.33, 13.4.59 and 13.5.37. Before that, the release history of the PTX ISA
 * (https://docs.nvidia.com/cuda/parallel-thread-execution/#release-notes) and, for what 11.0 dropped, its release notes.
 * Tegra: "Jetson" column of https://developer.nvidia.com/cuda-gpus and of its legacy page.
 */
export const GENERATIONS: readonly Generation[] = [
  { capability: "3.0", name: "Kepler", first: "4.2", last: "10.2" },
  { capability: "3.2", name: "Kepler", tegra: true, first: "6.0", last: "10.2" },
  { capability: "3.5", name: "Kepler", first: "5.0", last: "11.8" },
  { capability: "3.7", name: "Kepler", first: "6.5", last: "11.8" },
  { capability: "5.0", name: "Maxwell", first: "6.0", last: "12.9" },
  { capability: "5.2", name: "Maxwell", first: "6.5", last: "12.9" },
  { capability: "5.3", name: "Maxwell", tegra: true, first: "7.0", last: "12.9" },
  { capability: "6.0", name: "Pascal", first: "8.0", last: "12.9" },
  { capability: "6.1", name: "Pascal", first: "8.0", last: "12.9" },
  { capability: "6.2", name: "Pascal", tegra: true, first: "8.0", last: "12.9" },
  { capability: "7.0", name: "Volta", first: "9.0", last: "12.9" },
  { capability: "7.2", name: "Volta", tegra: true, first: "9.1", last: "12.9" },
  { capability: "7.5", name: "Turing", first: "10.0" },
  { capability: "8.0", name: "Ampere", first: "11.0" },
  { capability: "8.6", name: "Ampere", first: "11.1" },
  { capability: "8.7", name: "Ampere", tegra: true, first: "11.4" },
  { capability: "8.8", name: "Ampere", first: "13.0" }, // in no list of products
  { capability: "8.9", name: "Ada", first: "11.8" },
  { capability: "9.0", name: "Hopper", first: "11.8", firstA: "12.0" },
  { capability: "10.0", name: "Blackwell", first: "12.8", firstA: "12.8", firstF: "12.9" },
  // Thor; renamed to 11.0 in CUDA 13.0.
  { capability: "10.1", name: "Blackwell", tegra: true, first: "12.8", last: "12.9", firstA: "12.8", firstF: "12.9" },
  { capability: "10.3", name: "Blackwell", first: "12.9", firstA: "12.9", firstF: "12.9" },
  // In no list of products; ptxas takes code of the 10.0 family for it.
  { capability: "10.7", name: "Blackwell", first: "13.4", firstA: "13.4", firstF: "13.4" },
  { capability: "11.0", name: "Blackwell", tegra: true, first: "13.0", firstA: "13.0", firstF: "13.0" },
  { capability: "12.0", name: "Blackwell", first: "12.8", firstA: "12.8", firstF: "12.9" },
  { capability: "12.1", name: "Blackwell", first: "12.9", firstA: "12.9", firstF: "12.9" },
];

const BY_CAPABILITY = new Map(GENERATIONS.map((g) => [g.capability, g]));

/** What is known of a compute capability; undefined where no toolkit knows it. */
export function generationOf(capability: Capability): Generation | undefined {
  return BY_CAPABILITY.get(capability);
}

/**
 * Names that people write for a list of capabilities: what a card of that name has. Without Tegra, which has names of
 * its own. (Torch's own names add PTX to each; here `+PTX` does.)
 */
export const NAMES: Readonly<Record<string, readonly Capability[]>> = {
  kepler: ["3.5", "3.7"],
  maxwell: ["5.0", "5.2"],
  pascal: ["6.0", "6.1"],
  volta: ["7.0"],
  xavier: ["7.2"],
  turing: ["7.5"],
  ampere: ["8.0", "8.6"],
  orin: ["8.7"],
  ada: ["8.9"],
  hopper: ["9.0"],
  blackwell: ["10.0", "12.0"],
  thor: ["11.0"],
};
