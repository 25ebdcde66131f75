import {
  type ArchNotation,
  type CudaArch,
  chooseTrack,
  cmakeArchitectures,
  type MachineCost,
  parseArchs,
  type Track,
  torchArchList,
  vllmArchList,
} from "./cuda.ts";
import { type Finding, sortFindings } from "./finding.ts";
import {
  type EarlierWaves,
  exchangeFamilies,
  exchangeFindings,
  type Fleet,
  type FleetSelection,
  type PlacedWave,
  type PlannedService,
  placeFleet,
  placementFindings,
  planServices,
  planWaves,
  selectServices,
  wavesBefore,
} from "./fleet.ts";
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
  /**
   * Whether services' images carry /etc/machine-profile.json. Without it one image serves every machine, and the profile comes as
   * environment alone. Default: true.
   */
  readonly bake?: boolean | undefined;
  /** Host of `keelson:hosts` that runs its services. Default: none. */
  readonly host?: string | undefined;
  /** Tag that its services follow on that host. Default: none. */
  readonly channel?: string | undefined;
  /** Stack of another machine whose services of earlier waves must be healthy before this one's change. Default: none. */
  readonly after?: string | undefined;
}

/** All that a machine's plan follows from. */
export interface MachinePlanInput extends FleetSelection {
  /** The stack's name, which is the machine's name in the fleet's table. @example "mainpc" */
  readonly stack: string;
  readonly machine: MachineConfig;
  /** `keelson:cudaArchs`. Default: the card's own capability. */
  readonly cudaArchs?: ArchNotation | undefined;
  /** `keelson:cudaTrack`. Default: cu121 where the driver allows it, else cu118. */
  readonly cudaTrack?: Track | undefined;
  readonly fleet: Fleet;
  /** Names of services that have sources of their own. Default: none. */
  readonly sourced?: readonly string[] | undefined;
}

/** What the machine's GPU images are built with. */
export interface PlannedCuda {
  readonly track: Track;
  /** Why this track. */
  readonly reason: string;
  /** Whether `keelson:cudaArchs` names them; else they are the card's own. */
  readonly listed: boolean;
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
  readonly after?: EarlierWaves;
  readonly services: readonly PlannedService[];
}

/** A machine as the plan shows it: plain data, the architectures as each builder reads them. */
export interface PlannedMachine {
  readonly profile: MachineProfile;
  /** Of every service of the machine. */
  readonly environment: Environment;
  readonly cuda?: {
    readonly track: Track;
    readonly reason: string;
    readonly archs: { readonly torch: string; readonly cmake: string; readonly vllm: string };
    /** Each image with CUDA code or the machine's profile: one for several machines against one for each. */
    readonly costs?: readonly MachineCost[];
  };
  /** Each starts when every service of the one before is healthy; services by their names. */
  readonly waves: readonly { readonly name: string; readonly services: readonly string[] }[];
  readonly after?: EarlierWaves;
  readonly services: readonly PlannedService[];
}

/** What the plan keeps of a machine. */
export function plannedMachine({ profile, environment, cuda, after, services }: MachinePlan): PlannedMachine {
  return {
    profile,
    environment,
    ...(cuda === undefined
      ? {}
      : {
          cuda: {
            track: cuda.track,
            reason: cuda.reason,
            archs: {
              torch: torchArchList(cuda.archs),
              cmake: cmakeArchitectures(cuda.archs),
              vllm: vllmArchList(cuda.archs),
            },
          },
        }),
    waves: [...Map.groupBy(services, (s) => s.wave)].map(([name, all]) => ({ name, services: all.map((s) => s.name) })),
    ...(after === undefined ? {} : { after }),
    services,
  };
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
  const { stack } = input;
  const { profile: entry, bake = true, host: _, channel: __, after, ...overrides } = input.machine;
  const { profile, findings: impossible } = resolveMachine(stack, entry, overrides);
  const parsed =
    input.cudaArchs === undefined ? undefined : parseArchs(input.cudaArchs, { subject: "keelson:cudaArchs" });
  const { fleet, findings: exchange } = exchangeFamilies(input.fleet, input.families);
  const placed = placeFleet(fleet);
  const { placements: here, findings: selection } = selectServices(placed.placements, stack, input.services);
  const rows = exchangeFindings(input.fleet, input.families, placed.findings, here);
  const found = [...impossible, ...(parsed?.findings ?? []), ...exchange, ...rows, ...selection];
  if (profile === undefined) return { findings: sortFindings(found) };
  const { gpu } = profile;
  const { modelEvictThresholdPct = 0 } = machineDefaults(profile);
  const machine = {
    name: stack,
    ...(gpu === undefined
      ? {}
      : { gpu: { memory: gpu.memory * gpu.count, evictThresholdPct: modelEvictThresholdPct } }),
  };
  const cuda = gpu && planCuda(profile, gpu, parsed?.archs, input.cudaTrack);
  const waves = planWaves(here, fleet.waves);
  return {
    plan: {
      profile,
      environment: machineEnvironment(profile),
      ...(cuda === undefined ? {} : { cuda }),
      buildArgs: {
        ...(bake ? machineBuildArgs(profile) : {}),
        ...(cuda === undefined ? {} : cudaBuildArgs(cuda.archs)),
      },
      waves,
      ...(after === undefined || after === stack
        ? {}
        : {
            after: {
              stack: after,
              waves: wavesBefore(
                waves.map(({ name }) => name),
                fleet.waves,
              ),
            },
          }),
      services: planServices(waves, fleet, cuda?.track, input.sourced),
    },
    findings: sortFindings([
      ...found,
      ...(after === stack ? [afterItself(stack)] : []),
      ...placementFindings(here, [machine], fleet),
    ]),
  };
}

function afterItself(stack: string): Finding {
  return {
    rule: "fleet/after",
    severity: "error",
    subject: "keelson:machine.after",
    message: `expected another machine's stack, found ${stack} itself, whose waves wait for each other anyway`,
    fix: "name the stack of the machine that comes first, or remove it",
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
  const listed = archs !== undefined && archs.length > 0;
  return { ...choice, listed, archs: listed ? archs : [own] };
}

/** What bakes /etc/machine-profile.json into an image: MACHINE, as 004 has it, and the file's content. */
function machineBuildArgs(profile: MachineProfile): {
  readonly MACHINE: string;
  readonly MACHINE_PROFILE: string;
} {
  return { MACHINE: profile.machine, MACHINE_PROFILE: JSON.stringify(JSON.parse(machineProfileFile(profile))) };
}

/** A list of architectures under the names that builds of torch, CMake and vllm read. */
function cudaBuildArgs(archs: readonly CudaArch[]): Readonly<Record<string, string>> {
  return {
    CMAKE_CUDA_ARCHITECTURES: cmakeArchitectures(archs),
    TORCH_CUDA_ARCH_LIST: torchArchList(archs),
    torch_cuda_arch_list: vllmArchList(archs),
  };
}
