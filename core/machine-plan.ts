import {
  type ArchNotation,
  type CudaArch,
  chooseTrack,
  cmakeArchitectures,
  parseArchs,
  type Track,
  torchArchList,
  vllmArchList,
} from "./cuda.ts";
import { type Finding, sortFindings } from "./finding.ts";
import { type Fleet, type PlacedWave, placeFleet, placementFindings, planWaves } from "./fleet.ts";
import {
  type Environment,
  type MachineOverrides,
  type MachineProfile,
  machineDefaults,
  machineEnvironment,
  machineProfileFile,
  resolveMachine,
} from "./machine.ts";

/** What a stack's config says of its machine. */
export interface MachineConfig extends MachineOverrides {
  /** Entry of the catalogue. @example "rtx-4090" */
  readonly profile: string;
}

/** All that a machine's plan follows from. */
export interface MachinePlanInput {
  /** The stack's name, which is the machine's name in the fleet's table. @example "mainpc" */
  readonly stack: string;
  readonly machine: MachineConfig;
  /** `keelson:cudaArchs`. Default: the card's own capability. */
  readonly cudaArchs?: ArchNotation | undefined;
  /** `keelson:cudaTrack`. Default: cu121 where the driver allows it, else cu118. */
  readonly cudaTrack?: Track | undefined;
  readonly fleet: Fleet;
}

/** What the machine's GPU images are built with. */
export interface PlannedCuda {
  readonly track: Track;
  /** Why this track. */
  readonly reason: string;
  readonly archs: readonly CudaArch[];
}

/** A machine of the plan: its profile, what follows from it, and the services that run on it. */
export interface MachinePlan {
  readonly profile: MachineProfile;
  readonly environment: Environment;
  readonly cuda?: PlannedCuda;
  /** Arguments for the builds of this machine's images. */
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly waves: readonly PlacedWave[];
}

/**
 * Works out what a stack's machine is, how its GPU images are built and what runs on it. Pure.
 * @example planMachine({ stack: "mainpc", machine: { profile: "rtx-4090" }, fleet: FLEET }).plan?.cuda?.track // "cu121"
 * @returns no plan where the machine itself is impossible; findings, all at once.
 */
export function planMachine(input: MachinePlanInput): {
  readonly plan?: MachinePlan;
  readonly findings: readonly Finding[];
} {
  const { stack, fleet } = input;
  const { profile: entry, ...overrides } = input.machine;
  const { profile, findings: impossible } = resolveMachine(stack, entry, overrides);
  const parsed =
    input.cudaArchs === undefined ? undefined : parseArchs(input.cudaArchs, { subject: "keelson:cudaArchs" });
  const placed = placeFleet(fleet);
  const found = [...impossible, ...(parsed?.findings ?? []), ...placed.findings];
  if (profile === undefined) return { findings: sortFindings(found) };
  const { gpu } = profile;
  const here = placed.placements.filter((p) => p.machine === stack);
  const { modelEvictThresholdPct = 0 } = machineDefaults(profile);
  const machine = {
    name: stack,
    ...(gpu === undefined
      ? {}
      : { gpu: { memory: gpu.memory * gpu.count, evictThresholdPct: modelEvictThresholdPct } }),
  };
  const cuda = gpu && planCuda(profile, gpu, parsed?.archs, input.cudaTrack);
  return {
    plan: {
      profile,
      environment: machineEnvironment(profile),
      ...(cuda === undefined ? {} : { cuda }),
      buildArgs: { ...machineBuildArgs(profile), ...(cuda === undefined ? {} : cudaBuildArgs(cuda.archs)) },
      waves: planWaves(here, fleet.waves),
    },
    findings: sortFindings([...found, ...placementFindings(here, [machine], fleet)]),
  };
}

function planCuda(
  { machine, driver }: MachineProfile,
  gpu: NonNullable<MachineProfile["gpu"]>,
  archs: readonly CudaArch[] | undefined,
  asked: Track | undefined,
): PlannedCuda {
  const choice =
    asked === undefined
      ? chooseTrack({ name: machine, driver: gpu.tegra ? undefined : driver, card: gpu.capability })
      : { track: asked, reason: "keelson:cudaTrack names it" };
  const own: CudaArch = { capability: gpu.capability, variant: "", sass: true, ptx: false };
  return { ...choice, archs: archs === undefined || archs.length === 0 ? [own] : archs };
}

/** What bakes /etc/machine-profile.json into an image: MACHINE, as 004 has it, and the file's content. */
export function machineBuildArgs(profile: MachineProfile): {
  readonly MACHINE: string;
  readonly MACHINE_PROFILE: string;
} {
  return { MACHINE: profile.machine, MACHINE_PROFILE: JSON.stringify(JSON.parse(machineProfileFile(profile))) };
}

/** A list of architectures under the names that builds of torch, CMake and vllm read. */
export function cudaBuildArgs(archs: readonly CudaArch[]): Readonly<Record<string, string>> {
  return {
    CMAKE_CUDA_ARCHITECTURES: cmakeArchitectures(archs),
    TORCH_CUDA_ARCH_LIST: torchArchList(archs),
    torch_cuda_arch_list: vllmArchList(archs),
  };
}
