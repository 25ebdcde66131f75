import { type Capability, isCapability } from "../cuda/capability.ts";
import { generationOf } from "../cuda/generations.ts";
import { toolkit } from "../cuda/toolkits.ts";
import { isAtLeast, parseVersion } from "../cuda/version.ts";
import type { Finding } from "../finding.ts";
import { hint } from "../lineage.ts";
import type { Platform } from "../platform.ts";
import { parseSize } from "../size.ts";
import { type CatalogueMachine, MACHINES } from "./catalogue.ts";
import { GPUS, type Gpu } from "./gpus.ts";

/** What a machine has. Bytes are bytes; memory is what programs can use. */
export interface MachineProfile {
  /** The machine's own name. @example "mainpc" */
  readonly machine: string;
  /** Entry of the catalogue that it starts from. @example "rtx-4090" */
  readonly profile: string;
  readonly platform: Platform;
  readonly cores: number;
  /** Main memory in bytes. */
  readonly memory: number;
  readonly gpu?: {
    readonly name: string;
    readonly capability: Capability;
    /** Usable bytes of one GPU. */
    readonly memory: number;
    readonly count: number;
    readonly tegra: boolean;
  };
  /** NVIDIA driver's version, where known. */
  readonly driver?: string;
  /** Variables that the stack sets itself, over the defaults that follow from the rest. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** What a stack's config says of a machine beyond the entry that it picks: every field as a person wrote it. */
export interface MachineOverrides {
  readonly cores?: number | undefined;
  /** Main memory. @example "64 GiB" */
  readonly memory?: string | undefined;
  /** Memory of one GPU. @example "24 GiB" */
  readonly gpuMemory?: string | undefined;
  readonly gpus?: number | undefined;
  /** @example "8.9" */
  readonly capability?: string | undefined;
  /** @example "550.54.14" */
  readonly driver?: string | undefined;
  /** Variables over the defaults. @example { OMP_NUM_THREADS: "8" } */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** Bounds that no machine exceeds today; beyond them a number is a slip (bytes for GiB, a digit too many). */
const LIMITS = {
  cores: 1024,
  gpus: 16,
  memory: 64 * 1024 ** 4, // 64 TiB
  gpuMemory: 1024 ** 4, // 1 TiB
} as const;
const MIN_MEMORY = 256 * 1024 ** 2; // 256 MiB

/**
 * A machine's profile from the catalogue's entry and a stack's overrides, with everything impossible in it at once.
 * @example resolveMachine("mainpc", "rtx-4090", { driver: "550.54.14" }).profile?.gpu?.capability // "8.9"
 * @returns no profile where there are findings, which name the config's keys.
 */
export function resolveMachine(
  machine: string,
  name: string,
  overrides: MachineOverrides = {},
): { readonly profile?: MachineProfile; readonly findings: readonly Finding[] } {
  const check = new Check();
  const entry = Object.hasOwn(MACHINES, name) ? (MACHINES as Record<string, CatalogueMachine>)[name] : undefined;
  if (entry === undefined) {
    const known = Object.keys(MACHINES);
    check.report(
      "unknown",
      `expected a machine of the catalogue, found ${JSON.stringify(name)}`,
      `write one of: ${known.join(", ")}${hint(name, known)}; a card that is none of them: the nearest, with its own capability and gpuMemory`,
      "profile",
    );
    checkNumbers(overrides, check);
    return { findings: check.findings };
  }
  const cores = check.integer("cores", "CPU cores", overrides.cores ?? entry.cores, LIMITS.cores);
  const memory = check.size("memory", "main memory", overrides.memory ?? entry.memory, LIMITS.memory);
  const gpu = entry.gpu === undefined ? undefined : resolveGpu(GPUS[entry.gpu], memory, overrides, check);
  if (gpu === undefined) refuseGpuFields(overrides, check);
  else checkDriver(overrides.driver, gpu, check);
  checkEnvironment(overrides.environment ?? {}, gpu?.count ?? 0, check);
  if (check.findings.length > 0) return { findings: check.findings };
  const { driver, environment } = overrides;
  return {
    profile: {
      machine,
      profile: name,
      platform: entry.platform,
      cores,
      memory,
      ...(gpu === undefined ? {} : { gpu }),
      ...(driver === undefined ? {} : { driver }),
      ...(environment === undefined ? {} : { environment }),
    },
    findings: [],
  };
}

/** Collects what is impossible in one machine's numbers. */
class Check {
  readonly findings: Finding[] = [];

  /** @param key of the machine's config, where one alone is at fault */
  report(check: string, message: string, fix: string, key?: string): void {
    const subject = key === undefined ? "keelson:machine" : `keelson:machine.${key}`;
    this.findings.push({ rule: `machine/${check}`, severity: "error", subject, message, fix });
  }

  integer(key: string, what: string, value: number, max: number): number {
    if (!Number.isInteger(value) || value < 1 || value > max)
      this.report("impossible", `expected 1 to ${max} ${what}, found ${value}`, "correct the number", key);
    return value;
  }

  size(key: string, what: string, text: string, max: number): number {
    const bytes = sizeOf(text);
    if (bytes !== undefined && bytes >= MIN_MEMORY && bytes <= max) return bytes;
    this.report(
      "impossible",
      `expected ${what} from ${inGib(MIN_MEMORY)} to ${inGib(max)}, found ${JSON.stringify(text)}`,
      'write a size with its unit, such as "24 GiB"',
      key,
    );
    return MIN_MEMORY;
  }
}

/** What is impossible on any machine: told also where the catalogue lacks the machine. */
function checkNumbers({ cores, memory, gpus, gpuMemory, environment = {} }: MachineOverrides, check: Check): void {
  if (cores !== undefined) check.integer("cores", "CPU cores", cores, LIMITS.cores);
  if (memory !== undefined) check.size("memory", "main memory", memory, LIMITS.memory);
  if (gpus !== undefined) check.integer("gpus", "GPUs", gpus, LIMITS.gpus);
  if (gpuMemory !== undefined) check.size("gpuMemory", "GPU memory", gpuMemory, LIMITS.gpuMemory);
  checkEnvironment(environment, gpus ?? LIMITS.gpus, check);
}

function resolveGpu(
  card: Gpu,
  mainMemory: number,
  overrides: MachineOverrides,
  check: Check,
): NonNullable<MachineProfile["gpu"]> {
  const count = check.integer("gpus", "GPUs", overrides.gpus ?? 1, LIMITS.gpus);
  const stated = check.size("gpuMemory", "GPU memory", overrides.gpuMemory ?? card.memory, LIMITS.gpuMemory);
  // An override is what nvidia-smi shows, error correction already taken off.
  const memory = overrides.gpuMemory === undefined && card.inlineEcc ? Math.floor((stated * 15) / 16) : stated;
  if (card.unified && memory > mainMemory)
    check.report(
      "impossible",
      `expected GPU memory of at most the main memory that it is a part of, found ${inGib(memory)} of ${inGib(mainMemory)}`,
      "correct memory or gpuMemory",
    );
  const text = overrides.capability ?? card.capability;
  const generation = isCapability(text) ? generationOf(text) : undefined;
  if (generation === undefined)
    check.report(
      "impossible",
      `expected a compute capability that a CUDA toolkit knows, found ${JSON.stringify(text)}`,
      `write major.minor, such as "${card.capability}"`,
      "capability",
    );
  const { capability, tegra = false } = generation ?? { capability: card.capability };
  return { name: card.name, capability, memory, count, tegra };
}

function refuseGpuFields(overrides: MachineOverrides, check: Check): void {
  for (const key of ["gpus", "gpuMemory", "capability", "driver"] as const) {
    const value = overrides[key];
    if (value === undefined) continue;
    const found = `found ${JSON.stringify(value)}`;
    check.report("impossible", `expected no ${key} on a machine without a GPU, ${found}`, `remove ${key}`, key);
  }
}

function checkDriver(driver: string | undefined, gpu: NonNullable<MachineProfile["gpu"]>, check: Check): void {
  if (driver === undefined) return;
  if (parseVersion(driver) === undefined) {
    const found = JSON.stringify(driver);
    check.report(
      "impossible",
      `expected a driver version such as 550.54.14, found ${found}`,
      "write what nvidia-smi shows",
      "driver",
    );
    return;
  }
  if (gpu.tegra) return; // Jetson's drivers are numbered on their own: 540.4.0 comes with CUDA 12.6
  const branch = toolkit(generationOf(gpu.capability)?.first ?? "")?.driver.split(".")[0];
  if (branch !== undefined && !isAtLeast(driver, branch))
    check.report(
      "impossible",
      `expected driver ${branch} or newer, the first that knows capability ${gpu.capability}, found ${driver}`,
      "correct the driver or the machine's profile",
      "driver",
    );
}

/** @param gpus how many the machine has */
function checkEnvironment(environment: Readonly<Record<string, string>>, gpus: number, check: Check): void {
  checkCards(environment.GPU_VISIBLE_DEVICES, gpus, check);
  for (const name of Object.keys(environment))
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      check.report(
        "impossible",
        `expected the name of an environment variable, found ${JSON.stringify(name)}`,
        "write letters, digits and underscores, not starting with a digit",
        "environment",
      );
}

/** Cards by number must be there; names of other kinds (a UUID, `all`, `void`) are the machine's own. */
function checkCards(cards: string | undefined, gpus: number, check: Check): void {
  const absent = (cards?.split(",") ?? []).map((card) => card.trim()).filter((card) => !isCard(card, gpus));
  if (absent.length === 0) return;
  const [is, last] = [gpus === 1 ? "is" : "are", gpus - 1];
  check.report(
    "impossible",
    `expected numbers of GPUs, of which there ${is} ${gpus}, found ${JSON.stringify(cards)}`,
    gpus === 0 ? "write void, or take it out" : `write ${gpus === 1 ? "0" : `some of 0 to ${last}`}, all or void`,
    "environment.GPU_VISIBLE_DEVICES",
  );
}

function isCard(card: string, gpus: number): boolean {
  return /^\d+$/.test(card) ? Number(card) < gpus : card !== "" && (gpus > 0 || card === "void");
}

function sizeOf(text: string): number | undefined {
  try {
    return parseSize(text);
  } catch {
    return undefined;
  }
}

function inGib(bytes: number): string {
  return `${Math.round((bytes / 1024 ** 3) * 100) / 100} GiB`;
}
