import { type Capability, compareCapabilities } from "../cuda/capability.ts";
import { parseSize } from "../size.ts";
import { type CatalogueMachine, MACHINES, type MachineName } from "./catalogue.ts";
import { GPUS } from "./gpus.ts";
import type { MachineOverrides } from "./profile.ts";

/** One GPU as nvidia-smi reports it. */
export interface SeenGpu {
  /** @example "NVIDIA GeForce RTX 4090" */
  readonly name: string;
  readonly capability: Capability;
  /** MiB */
  readonly memoryMib: number;
  /** @example "550.54.14" */
  readonly driver: string;
}

/** What a machine says of itself. */
export interface SeenMachine {
  readonly gpus: readonly SeenGpu[];
  readonly cores: number;
  /** MiB */
  readonly memoryMib: number;
}

/** An entry of the catalogue and what to override in it: what a stack's config takes. */
export interface RecognisedMachine {
  readonly profile: MachineName;
  readonly overrides: MachineOverrides;
  /** What the reader should know: a card that the catalogue lacks, cards that differ. */
  readonly notes: readonly string[];
}

/**
 * The catalogue's entry that a machine comes nearest to, and what differs from it.
 * @example recogniseMachine({ gpus: [{ name: "NVIDIA GeForce RTX 4090", capability: "8.9", memoryMib: 24564, driver: "550.54.14" }],
 *   cores: 16, memoryMib: 64214 }).profile // "rtx-4090"
 */
export function recogniseMachine({ gpus, cores, memoryMib }: SeenMachine): RecognisedMachine {
  const host = { cores, memory: `${memoryMib} MiB` };
  const [gpu] = gpus;
  if (gpu === undefined) return { profile: "none", overrides: host, notes: [] };
  const alike = gpus.filter((g) => g.name === gpu.name);
  const notes: string[] = [];
  if (alike.length < gpus.length)
    notes.push(`cards differ; the profile holds the ${alike.length} of ${gpus.length} that are ${gpu.name}`);
  const named = nearest(gpu, (entry) => words(entry.name).every((word) => words(gpu.name).includes(word)));
  if (named === undefined) notes.push(`the catalogue lacks ${gpu.name}; the nearest entry is taken, with its numbers`);
  const profile = named ?? nearest(gpu, (entry) => entry.capability === gpu.capability) ?? nearest(gpu, () => true);
  if (profile === undefined) throw new RangeError("the catalogue has no machine with a GPU");
  const usual = GPUS[profile as keyof typeof GPUS].capability;
  return {
    profile,
    overrides: {
      ...host,
      gpuMemory: `${gpu.memoryMib} MiB`,
      ...(alike.length === 1 ? {} : { gpus: alike.length }),
      ...(usual === gpu.capability ? {} : { capability: gpu.capability }),
      driver: gpu.driver,
    },
    notes,
  };
}

/** Of the machines whose GPU fits: the nearest capability, then the most words in common, then the nearest memory. */
function nearest(gpu: SeenGpu, fits: (entry: (typeof GPUS)[keyof typeof GPUS]) => boolean): MachineName | undefined {
  const score = ([name, machine]: [string, CatalogueMachine]) => {
    const entry = GPUS[machine.gpu as keyof typeof GPUS];
    const capability = Math.abs(compareCapabilities(entry.capability, gpu.capability));
    const common = words(entry.name).filter((word) => words(gpu.name).includes(word)).length;
    const memory = Math.abs(parseSize(entry.memory) / 1024 ** 2 - gpu.memoryMib);
    return { name: name as MachineName, capability, common, memory };
  };
  return (Object.entries(MACHINES) as [string, CatalogueMachine][])
    .filter(([, machine]) => machine.gpu !== undefined && fits(GPUS[machine.gpu]))
    .map(score)
    .toSorted((a, b) => a.capability - b.capability || b.common - a.common || a.memory - b.memory)[0]?.name;
}

function words(name: string): string[] {
  return name.toLowerCase().split(/[^a-z0-9]+/);
}
