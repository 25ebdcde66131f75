import type { Track } from "../cuda/tracks.ts";
import type { Placement } from "./placement.ts";
import type { Fleet } from "./row.ts";
import type { PlacedWave } from "./waves.ts";

/** A service of the plan: a placement with the image that runs it. */
export interface PlannedService {
  /** As its row names it. @example "ServiceRegistry" */
  readonly service: string;
  /** Name for containers and units. @example "service-registry" */
  readonly name: string;
  /** Of the plan's images: the reference service's on its family, or its own, of its name, where it has sources. */
  readonly image: string;
  /** The reference service's image that its own sources are put on; absent where that is what runs. */
  readonly base?: string;
  /** The wave that it starts in. */
  readonly wave: string;
  /** What the container runs, below the image's entry point. */
  readonly command: readonly string[];
  readonly port: number;
  readonly health: Placement["health"];
  /** Its own variables; the machine's come with them, and these win. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether it gets the machine's GPUs. */
  readonly gpu: boolean;
  /** Sockets and devices of the machine that it is given, by their paths. */
  readonly mounts: readonly string[];
  /** Keeps data of its own, in a folder: Redis, and what notes say keeps a database in SQLite. */
  readonly data: boolean;
  /** The machine works without it. */
  readonly optional: boolean;
}

/**
 * The services of a machine, wave by wave.
 * @param sourced names of services that have sources of their own, as {@link PlannedService.name} has them
 */
export function planServices(
  waves: readonly PlacedWave[],
  fleet: Pick<Fleet, "families">,
  track: Track | undefined,
  sourced: readonly string[] = [],
): PlannedService[] {
  return waves.flatMap((wave) =>
    wave.placements.map((placement): PlannedService => {
      const { service, family, entrypoint, port, health, environment, needs, uses, optional } = placement;
      const name = kebab(service);
      const reference = serviceImage(placement, fleet, track);
      // Redis is no service of the fleet's, and has no reference to put sources on.
      const isOwn = family !== "redis" && sourced.includes(name);
      return {
        service,
        name,
        ...(isOwn ? { image: name, base: reference } : { image: reference }),
        wave: wave.name,
        command: family === "redis" ? [] : [entrypoint],
        port,
        health,
        environment,
        gpu: needs.includes("gpu"),
        mounts: needs.includes("docker") ? ["/var/run/docker.sock"] : [],
        data: family === "redis" || uses.includes("sqlite"),
        optional,
      };
    }),
  );
}

/**
 * The image of a placement: the reference service on its family, with the audio libraries where it needs them, of the stack's CUDA track.
 * @example serviceImage(sttService, FLEET, "cu121") // "service-torch-audio-cu121"
 */
export function serviceImage(
  { family, needs }: Pick<Placement, "family" | "needs">,
  { families }: Pick<Fleet, "families">,
  track: Track | undefined,
): string {
  const { service = family, cuda } = families[family] ?? {};
  const audio = needs.includes("audio") ? "-audio" : "";
  return `${service}${audio}${cuda && track !== undefined ? `-${track}` : ""}`;
}

/** @example kebab("CrossMachineGPUScheduler") // "cross-machine-gpu-scheduler" */
export function kebab(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .replaceAll(/[^A-Za-z0-9]+/g, "-")
    .toLowerCase();
}
