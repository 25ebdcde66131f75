import type { Platform } from "../platform.ts";
import type { Size } from "../size.ts";
import type { GpuName } from "./gpus.ts";

/** A machine as people have it: what a stack's profile starts from, before its own overrides. */
export interface CatalogueMachine {
  readonly gpu?: GpuName;
  /** CPU cores, not hyper-threads (a cloud's vCPU is half a core). */
  readonly cores: number;
  /** Main memory. */
  readonly memory: Size;
  readonly platform: Platform;
  /** Where cores and memory are from. A stack states its own where they differ. */
  readonly source: string;
}

const AMD64 = "linux/amd64";
const DESKTOP = "assumed: a desktop of the card's year";

/**
 * The machines that a stack can pick. GPU facts stand in GPUS; a machine adds the host around it. `rtx-4090` and `rtx-3060` are
 * seed 004's MainPC and PC2: their cores are 004's, their memory is not in it and, from 8 GiB on, changes no default.
 */
export const MACHINES = {
  none: { cores: 4, memory: "16 GiB", platform: AMD64, source: "assumed: a small server without GPU" },
  "rtx-4090": {
    gpu: "rtx-4090",
    cores: 16,
    memory: "64 GiB",
    platform: AMD64,
    source: "cores: seed 004, section D, MainPC; memory: assumed",
  },
  "rtx-3060": {
    gpu: "rtx-3060",
    cores: 8,
    memory: "32 GiB",
    platform: AMD64,
    source: "cores: seed 004, section D, PC2; memory: assumed",
  },
  "rtx-5090": { gpu: "rtx-5090", cores: 16, memory: "64 GiB", platform: AMD64, source: DESKTOP },
  "rtx-5080": { gpu: "rtx-5080", cores: 12, memory: "32 GiB", platform: AMD64, source: DESKTOP },
  "rtx-5070-ti": { gpu: "rtx-5070-ti", cores: 8, memory: "32 GiB", platform: AMD64, source: DESKTOP },
  "rtx-5070": { gpu: "rtx-5070", cores: 8, memory: "32 GiB", platform: AMD64, source: DESKTOP },
  "rtx-5060-ti": { gpu: "rtx-5060-ti", cores: 6, memory: "32 GiB", platform: AMD64, source: DESKTOP },
  "rtx-5060": { gpu: "rtx-5060", cores: 6, memory: "16 GiB", platform: AMD64, source: DESKTOP },
  t4: { gpu: "t4", cores: 4, memory: "32 GiB", platform: AMD64, source: "AWS g4dn.2xlarge" },
  a10: { gpu: "a10", cores: 18, memory: "440 GiB", platform: AMD64, source: "Azure NV36ads A10 v5" },
  "a100-40gb": { gpu: "a100-40gb", cores: 6, memory: "85 GiB", platform: AMD64, source: "Google a2-highgpu-1g" },
  a100: { gpu: "a100", cores: 24, memory: "220 GiB", platform: AMD64, source: "Azure NC24ads A100 v4" },
  l4: { gpu: "l4", cores: 8, memory: "64 GiB", platform: AMD64, source: "AWS g6.4xlarge" },
  l40s: { gpu: "l40s", cores: 8, memory: "128 GiB", platform: AMD64, source: "AWS g6e.4xlarge" },
  h100: { gpu: "h100", cores: 40, memory: "320 GiB", platform: AMD64, source: "Azure NC40ads H100 v5" },
  h200: { gpu: "h200", cores: 12, memory: "256 GiB", platform: AMD64, source: "an eighth of AWS p5en.48xlarge" },
  b200: { gpu: "b200", cores: 12, memory: "256 GiB", platform: AMD64, source: "an eighth of AWS p6-b200.48xlarge" },
  "jetson-orin": {
    gpu: "jetson-orin",
    cores: 12,
    memory: "64 GiB",
    platform: "linux/arm64",
    source: "Jetson AGX Orin 64GB, https://developer.nvidia.com/embedded/jetson-modules",
  },
} as const satisfies Readonly<Record<string, CatalogueMachine>>;

/** @example "rtx-4090" */
export type MachineName = keyof typeof MACHINES;
