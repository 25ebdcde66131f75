import { compareVersions } from "./version.ts";

/** A release of the CUDA toolkit and the Linux drivers that run what it builds. */
export interface Toolkit {
  /** @example "12.1" */
  readonly version: string;
  /**
   * Driver that the toolkit's first release came with. From it on everything works; below it, down to
   * {@link Toolkit.minimum}, machine code runs (minor version compatibility) but PTX is refused.
   */
  readonly driver: string;
  /** Oldest driver that runs the toolkit's machine code. */
  readonly minimum: string;
}

// Oldest drivers per major version: https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
// and table 2 of https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/ (450.80.02 by its note on CUDA 11.0).
const CUDA_11 = "450.80.02";
const CUDA_12 = "525.60.13";
const CUDA_13 = "580.65.06";

/**
 * Toolkits from 10.0, where the oldest card of the catalogue begins, in order.
 * Source of `driver`: table 3, "CUDA Toolkit and Corresponding Driver Versions", Linux column, general-availability
 * rows, of https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/ (13.1's edition).
 */
export const TOOLKITS: readonly Toolkit[] = [
  { version: "10.0", driver: "410.48", minimum: "410.48" },
  { version: "11.0", driver: CUDA_11, minimum: CUDA_11 }, // came with 450.51.05, before the promise
  { version: "11.1", driver: "455.23", minimum: CUDA_11 },
  { version: "11.4", driver: "470.42.01", minimum: CUDA_11 },
  { version: "11.7", driver: "515.43.04", minimum: CUDA_11 },
  { version: "11.8", driver: "520.61.05", minimum: CUDA_11 },
  { version: "12.0", driver: CUDA_12, minimum: CUDA_12 },
  { version: "12.1", driver: "530.30.02", minimum: CUDA_12 },
  { version: "12.2", driver: "535.54.03", minimum: CUDA_12 },
  { version: "12.3", driver: "545.23.06", minimum: CUDA_12 },
  { version: "12.4", driver: "550.54.14", minimum: CUDA_12 },
  { version: "12.5", driver: "555.42.02", minimum: CUDA_12 },
  { version: "12.6", driver: "560.28.03", minimum: CUDA_12 },
  { version: "12.8", driver: "570.26", minimum: CUDA_12 },
  { version: "12.9", driver: "575.51.03", minimum: CUDA_12 },
  { version: "13.0", driver: CUDA_13, minimum: CUDA_13 },
  { version: "13.1", driver: "590.44.01", minimum: CUDA_13 },
];

/** A toolkit by its version; undefined where the catalogue lacks it. @example toolkit("12.1")?.driver // "530.30.02" */
export function toolkit(version: string): Toolkit | undefined {
  return TOOLKITS.find((t) => compareVersions(t.version, version) === 0);
}
