import type { Size } from "../size.ts";

/**
 * What a service needs. `cpu`, `web`, `gpu`, `llm` and `vision` come with the family that it is built on; `audio` (ffmpeg,
 * libpulse, alsa, libsndfile) and `docker` (the machine's docker.sock) are added for the service alone.
 */
export type Need = "cpu" | "web" | "docker" | "gpu" | "audio" | "llm" | "vision";

/** Stands in a row for what follows from the rules of `placeFleet`. */
export const UNSPECIFIED = "...";

/** One row of a fleet's table: a service, where it runs and on what. */
export interface FleetRow {
  /** A machine's name at the end, as in `RealTimeAudioPipelinePC2` or `Center (pc2)`, makes it that machine's row of the service. */
  readonly service: string;
  /** Machines that run it, by their stacks' names. */
  readonly machines: readonly string[];
  readonly needs: readonly Need[];
  /** What it uses where it is there, and does without otherwise (004's `GPU*`). */
  readonly optionalNeeds: readonly Need[];
  /** Family with or without its CUDA track. @example "family-torch-cu121" */
  readonly base: string;
  /** Script that starts it, or {@link UNSPECIFIED}. */
  readonly entrypoint: string;
  /** TCP port on the machine. */
  readonly port: number;
  /** Path that answers 200 when healthy, or {@link UNSPECIFIED}. */
  readonly health: string;
  readonly notes: string;
}

/** A family as the fleet sees it. */
export interface FleetFamily {
  /** Another name of the same image. @example "family-cpu-pydeps" */
  readonly aliases?: readonly string[];
  readonly provides: readonly Need[];
  /** Built once per CUDA track. */
  readonly cuda?: true;
  /** The image of services on this family that have no source of their own, before need and track. @example "service-web" */
  readonly service?: string;
}

/** What a GPU service holds of a card's memory. */
export interface GpuMemory {
  /** Held as long as the process lives: CUDA's context, and what a server reserves when it starts. */
  readonly pinned: Size;
  /** Models, which the service gives back when the card is fuller than MODEL_EVICT_THRESHOLD_PCT. */
  readonly evictable: Size;
  /** Where the figures are from. */
  readonly source: string;
}

/** A step of the migration. A placement belongs to the first wave that takes it. */
export interface FleetWave {
  readonly name: string;
  /** Only these services. Default: any. */
  readonly services?: readonly string[];
  /** Only this machine. Default: any. */
  readonly machine?: string;
  /** Only services that need a GPU, or only those that don't. Default: both. */
  readonly gpu?: boolean;
}

/** A fleet: its table, and what the rules need to know around it. */
export interface Fleet {
  readonly rows: readonly FleetRow[];
  readonly families: Readonly<Record<string, FleetFamily>>;
  /** Entry scripts of rows that leave it open, where they are known from elsewhere. */
  readonly entrypoints: Readonly<Record<string, string>>;
  /** Entry script of every other row that leaves it open. */
  readonly defaultEntrypoint: string;
  /** By service; else by the last of its needs that stands here. */
  readonly gpuMemory: {
    readonly services: Readonly<Record<string, GpuMemory>>;
    readonly needs: Readonly<Partial<Record<Need, GpuMemory>>>;
  };
  readonly waves: readonly FleetWave[];
}
