import type { Capability } from "../cuda/capability.ts";
import { generationOf } from "../cuda/generations.ts";
import type { Size } from "../size.ts";

/** A graphics card, or the integrated GPU of a Jetson. */
export interface Gpu {
  /** The words that nvidia-smi's name of it holds. @example "GeForce RTX 4090" of "NVIDIA GeForce RTX 4090" */
  readonly name: string;
  /** Source for all: https://developer.nvidia.com/cuda-gpus */
  readonly capability: Capability;
  /** Per GPU, as sold. Vendors write GB for 2^30 bytes; nvidia-smi shows at most 2 % less. */
  readonly memory: Size;
  /** Error correction that is on by default and lives in the same memory: it takes one sixteenth (T4: 15 of 16 GiB). */
  readonly inlineEcc?: true;
  /** GPU and CPU share the memory. */
  readonly unified?: true;
  /** Where `memory` is from. */
  readonly source: string;
}

const GEFORCE = "https://www.nvidia.com/en-us/geforce/graphics-cards";
const DATA_CENTER = "https://www.nvidia.com/en-us/data-center";

/** The GPUs that machine profiles name. */
export const GPUS = {
  "rtx-3060": {
    name: "GeForce RTX 3060",
    capability: "8.6",
    memory: "12 GiB",
    source: `${GEFORCE}/30-series/rtx-3060-3060ti/`,
  },
  "rtx-4090": {
    name: "GeForce RTX 4090",
    capability: "8.9",
    memory: "24 GiB",
    source: `${GEFORCE}/40-series/rtx-4090/`,
  },
  "rtx-5060": {
    name: "GeForce RTX 5060",
    capability: "12.0",
    memory: "8 GiB",
    source: `${GEFORCE}/50-series/rtx-5060-family/`,
  },
  "rtx-5060-ti": {
    name: "GeForce RTX 5060 Ti",
    capability: "12.0",
    memory: "16 GiB",
    source: `${GEFORCE}/50-series/rtx-5060-family/`,
  },
  "rtx-5070": {
    name: "GeForce RTX 5070",
    capability: "12.0",
    memory: "12 GiB",
    source: `${GEFORCE}/50-series/rtx-5070-family/`,
  },
  "rtx-5070-ti": {
    name: "GeForce RTX 5070 Ti",
    capability: "12.0",
    memory: "16 GiB",
    source: `${GEFORCE}/50-series/rtx-5070-family/`,
  },
  "rtx-5080": {
    name: "GeForce RTX 5080",
    capability: "12.0",
    memory: "16 GiB",
    source: `${GEFORCE}/50-series/rtx-5080/`,
  },
  "rtx-5090": {
    name: "GeForce RTX 5090",
    capability: "12.0",
    memory: "32 GiB",
    source: `${GEFORCE}/50-series/rtx-5090/`,
  },
  t4: { name: "T4", capability: "7.5", memory: "16 GiB", inlineEcc: true, source: `${DATA_CENTER}/tesla-t4/` },
  a10: {
    name: "A10",
    capability: "8.6",
    memory: "24 GiB",
    inlineEcc: true,
    source: `${DATA_CENTER}/products/a10-gpu/`,
  },
  "a100-40gb": { name: "A100 40GB", capability: "8.0", memory: "40 GiB", source: `${DATA_CENTER}/a100/` },
  a100: { name: "A100 80GB", capability: "8.0", memory: "80 GiB", source: `${DATA_CENTER}/a100/` },
  l4: { name: "L4", capability: "8.9", memory: "24 GiB", inlineEcc: true, source: `${DATA_CENTER}/l4/` },
  l40s: { name: "L40S", capability: "8.9", memory: "48 GiB", inlineEcc: true, source: `${DATA_CENTER}/l40s/` },
  h100: { name: "H100", capability: "9.0", memory: "80 GiB", source: `${DATA_CENTER}/h100/` },
  h200: { name: "H200", capability: "9.0", memory: "141 GiB", source: `${DATA_CENTER}/h200/` },
  // 1,440 GB in the eight of a DGX B200.
  b200: { name: "B200", capability: "10.0", memory: "180 GiB", source: `${DATA_CENTER}/dgx-b200/` },
  "jetson-orin": {
    name: "Jetson AGX Orin",
    capability: "8.7",
    memory: "64 GiB",
    unified: true,
    source: "https://www.nvidia.com/en-us/autonomous-machines/embedded-systems/jetson-orin/",
  },
} as const satisfies Readonly<Record<string, Gpu>>;

/** @example "rtx-4090" */
export type GpuName = keyof typeof GPUS;

/** First CUDA toolkit that compiles for a GPU. @example firstToolkitFor(GPUS["rtx-4090"]) // "11.8" */
export function firstToolkitFor(gpu: Pick<Gpu, "capability">): string | undefined {
  return generationOf(gpu.capability)?.first;
}
