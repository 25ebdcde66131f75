import {
  type Capability,
  type CudaArch,
  FALLBACK_TRACK,
  isAtLeast,
  parseVersion,
  selectFor,
  type Track,
  trackDriver,
  trackToolkit,
} from "../core/cuda.ts";
import type { Finding } from "../core/finding.ts";

/** A machine that runs images of a CUDA track. */
export interface DriverPlan {
  readonly machine: string;
  readonly capability: Capability;
  /** Jetson's drivers are numbered on their own and are not judged. */
  readonly tegra: boolean;
  /** As nvidia-smi shows it; undefined: not known. */
  readonly driver?: string | undefined;
  readonly track: Track;
  /** What its images are built for. */
  readonly archs: readonly CudaArch[];
}

/**
 * The machine's driver against its CUDA track.
 * - `unknown` (warning): the profile has no driver;
 * - `too-old` (error): older than any that runs the track's major version;
 * - `ptx-refused` (error): the card has to use PTX, which a driver older than the track's own can't compile;
 * - `older-than-asked` (warning): runs by minor version compatibility, below what the track asks for (004's risk R1).
 */
export function cudaDriverFindings(plan: DriverPlan): Finding[] {
  const { machine, driver, track } = plan;
  const { version, driver: own, minimum } = trackToolkit(track);
  const asked = trackDriver(track);
  const finding = (check: string, severity: Finding["severity"], message: string, fix: string): Finding[] => [
    { rule: `cuda-driver/${check}`, severity, subject: "keelson:machine.driver", message, fix },
  ];
  if (plan.tegra) return [];
  if (driver === undefined)
    return finding(
      "unknown",
      "warning",
      `expected the version of ${machine}'s NVIDIA driver, at least ${asked} for track ${track}, found none`,
      `run \`keelson machine probe\` on ${machine} and write the driver into its stack's config`,
    );
  if (parseVersion(driver) === undefined) return []; // the machine profile's own finding
  const older = track === FALLBACK_TRACK ? "" : `use track ${FALLBACK_TRACK}, or `;
  if (!isAtLeast(driver, minimum))
    return finding(
      "too-old",
      "error",
      `expected driver ${minimum} or newer for CUDA ${version} (track ${track}), found ${driver}`,
      isAtLeast(driver, trackDriver(FALLBACK_TRACK)) ? `${older}update the driver` : "update the driver",
    );
  if (!isAtLeast(driver, own) && selectFor(plan.archs, plan.capability)?.form === "ptx")
    return finding(
      "ptx-refused",
      "error",
      `expected driver ${own} or newer to compile PTX of CUDA ${version}, found ${driver}: every launch would fail with "the provided PTX was compiled with an unsupported toolchain"`,
      `add ${plan.capability} to keelson:cudaArchs, or update the driver`,
    );
  if (!isAtLeast(driver, asked))
    return finding(
      "older-than-asked",
      "warning",
      `track ${track} asks for driver ${asked}, found ${driver}: machine code runs, by CUDA's minor version compatibility`,
      `${older}update the driver`,
    );
  return [];
}
