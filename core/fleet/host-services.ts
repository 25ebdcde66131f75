import type { Duration } from "../duration.ts";
import { ENGINE_SOCKET } from "../host/names.ts";
import type { HostService } from "../host/service.ts";
import type { PlannedService } from "./service.ts";

/** What a machine's services on a host follow from. */
export interface FleetOnHost {
  /** In the order of their waves. */
  readonly services: readonly PlannedService[];
  /** The machine's, for each of them; their own variables win. */
  readonly environment: Readonly<Record<string, string>>;
  /** Name of the host in `keelson:hosts`. */
  readonly host: string;
  /** The host's folder below /opt. */
  readonly app: string;
  /** Tag that they follow. Default: none. */
  readonly channel?: string | undefined;
  /** What an image's definition gives a container until it is healthy; undefined: the host's default. */
  readonly within: (image: string) => Duration | undefined;
}

/** A service of the fleet as an entry of `keelson:workloads`. */
export type FleetWorkload = Omit<HostService, "name" | "secrets"> & { readonly hosts: readonly string[] };

/** Where a service keeps what it may not lose, and where GPU services keep the models that they fetch. */
const DATA = "/data";
const MODELS = "/models";

/**
 * A machine's services as workloads of its host, by name.
 * - A wave's services are changed when all of the waves before are healthy.
 * - A port of a service's row is both the container's and the host's. Redis has none: containers alone reach it, by its name.
 * - GPU services get the cards that GPU_VISIBLE_DEVICES names, by CDI, and share a folder for models. They are replaced and not run
 *   side by side: a card has no room for a second copy of what the old one holds.
 * - What keeps data has a folder of its own below /opt/APP/data.
 * @example fleetWorkloads({ services, environment, host: "mainpc", app: "keelson", within }).redis?.aliases // ["redis"]
 */
export function fleetWorkloads(fleet: FleetOnHost): Readonly<Record<string, FleetWorkload>> {
  const waves = [...new Set(fleet.services.map((service) => service.wave))];
  return Object.fromEntries(
    fleet.services.map((service) => [service.name, workload(service, waves.indexOf(service.wave), fleet)]),
  );
}

function workload(
  service: PlannedService,
  wave: number,
  { environment, host, app, channel, within: patience }: FleetOnHost,
): FleetWorkload {
  const { name, image, command, port, health, gpu, data, mounts, optional } = service;
  const folder = `/opt/${app}/data`;
  const inside = "command" in health;
  const within = patience(image);
  const awaited = { port, ...(inside ? {} : { path: health.path }), ...(within === undefined ? {} : { within }) };
  return {
    image,
    hosts: [host],
    ...(channel === undefined ? {} : { channel }),
    ...(command.length === 0 ? {} : { command }),
    health: awaited,
    ...(inside ? { aliases: [name] } : { port: { container: port, publish: port } }),
    environment: {
      ...environment,
      ...service.environment,
      ...(data && !inside ? { DATABASE: `${DATA}/${name}.db` } : {}),
      ...(gpu ? { HF_HOME: `${MODELS}/huggingface`, HOME: "/tmp", TORCH_HOME: `${MODELS}/torch` } : {}),
    },
    ...(data || gpu
      ? {
          volumes: [
            ...(data ? [{ source: `${folder}/${name}`, target: DATA }] : []),
            ...(gpu ? [{ source: `${folder}/models`, target: MODELS }] : []),
          ],
        }
      : {}),
    ...(gpu
      ? {
          gpus: cards(environment),
          // Room for what numba and torch compile: the machine's profile has numba's share of it.
          scratch: { "/tmp": "2 GiB" as const },
        }
      : {}),
    ...(gpu && !inside ? { update: "replace" as const } : {}),
    ...(mounts.includes(ENGINE_SOCKET) ? { engine: true } : {}),
    ...(wave === 0 ? {} : { wave }),
    ...(optional ? { optional } : {}),
  };
}

/** CDI's names of the cards that GPU_VISIBLE_DEVICES lists. */
function cards({ GPU_VISIBLE_DEVICES = "all" }: Readonly<Record<string, string>>): string[] {
  return GPU_VISIBLE_DEVICES === "void" ? [] : GPU_VISIBLE_DEVICES.split(",").map((card) => card.trim());
}
