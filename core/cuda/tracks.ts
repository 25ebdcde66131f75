import type { Capability } from "./capability.ts";
import { toolkitRefuses } from "./compatibility.ts";
import { type Toolkit, toolkit } from "./toolkits.ts";
import { isAtLeast, parseVersion } from "./version.ts";

/** The CUDA tracks that the GPU families are built for: base-gpu-cu121 and its cu118 and cu124 siblings. */
export const TRACKS = ["cu118", "cu121", "cu124"] as const;

/** @example "cu121" */
export type Track = (typeof TRACKS)[number];

/** The track that a stack gets without asking, and the one that it falls back to. */
export const DEFAULT_TRACK: Track = "cu121";
export const FALLBACK_TRACK: Track = "cu118";

/**
 * Drivers that seed 004 asks for beyond what NVIDIA does (risk R1: "verify driver >= 535; fallback to CUDA 11.8 tag"). CUDA 12.1
 * itself came with 530.30.02, a branch that NVIDIA ended within months; 535 is the long-term branch that follows it.
 */
const POLICY: Partial<Record<Track, string>> = { cu121: "535" };

/** Toolkit of a track. @example trackToolkit("cu121").version // "12.1" */
export function trackToolkit(track: Track): Toolkit {
  const version = `${track.slice(2, 4)}.${track.slice(4)}`;
  const found = toolkit(version);
  if (found === undefined) throw new RangeError(`the toolkit catalogue lacks CUDA ${version} of track ${track}`);
  return found;
}

/** Driver from which a track is chosen without asking. @example trackDriver("cu121") // "535" */
export function trackDriver(track: Track): string {
  const { driver, minimum } = trackToolkit(track);
  return POLICY[track] ?? (track === FALLBACK_TRACK ? minimum : driver);
}

/** What a machine brings to the choice of a track. */
export interface TrackMachine {
  /** Name for messages. @example "pc2" */
  readonly name: string;
  /** Driver version as nvidia-smi reports it; undefined: not known yet. */
  readonly driver?: string | undefined;
  readonly card?: Capability | undefined;
}

export interface TrackChoice {
  readonly track: Track;
  /** Why, in one sentence, for the plan and the preview. */
  readonly reason: string;
}

/**
 * The CUDA track for a machine: cu121 where driver and card allow it, else cu118; with the reason said.
 * Whether the machine can run that track at all is the cuda-driver gate's to say.
 * @example chooseTrack({ name: "pc2", driver: "525.147.05", card: "8.6" })
 * // { track: "cu118", reason: "driver 525.147.05 of pc2 is older than 535, which cu121 asks for" }
 */
export function chooseTrack(machine: TrackMachine): TrackChoice {
  const { name, driver, card } = machine;
  if (card !== undefined && !trackSupports(DEFAULT_TRACK, card) && trackSupports(FALLBACK_TRACK, card))
    return { track: FALLBACK_TRACK, reason: `${DEFAULT_TRACK} no longer compiles for ${name}'s card (${card})` };
  const asked = trackDriver(DEFAULT_TRACK);
  if (driver === undefined || parseVersion(driver) === undefined)
    return { track: DEFAULT_TRACK, reason: `the driver of ${name} is not known; ${DEFAULT_TRACK} is the default` };
  if (isAtLeast(driver, asked))
    return { track: DEFAULT_TRACK, reason: `driver ${driver} of ${name} is ${asked} or newer` };
  return {
    track: FALLBACK_TRACK,
    reason: `driver ${driver} of ${name} is older than ${asked}, which ${DEFAULT_TRACK} asks for`,
  };
}

/** Whether a track's toolkit compiles for a card at all. @example trackSupports("cu121", "12.0") // false */
export function trackSupports(track: Track, card: Capability): boolean {
  return toolkitRefuses(trackToolkit(track).version, { capability: card, variant: "" }) === undefined;
}
