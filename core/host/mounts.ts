import type { HostMount } from "../volume/consumers.ts";
import { mountPoint } from "../volume/uses.ts";
import { file } from "./bundle.ts";
import type { HostService } from "./service.ts";
import { sessionCommand, wherePresent } from "./session.ts";

/** A volume of the stack on a host, as its services see it. */
export interface PlannedMount {
  /** Of `keelson:volumes`. */
  readonly volume: string;
  /** Absolute. */
  readonly where: string;
}

/** The volumes that services of a host mount, each once. */
export function plannedMounts(app: string, services: readonly Pick<HostService, "volumes">[]): PlannedMount[] {
  const names = services.flatMap(({ volumes = [] }) => volumes.flatMap(({ volume }) => volume ?? []));
  return [...new Set(names)].toSorted().map((volume) => ({ volume, where: mountPoint(app, volume) }));
}

/** What a mount's unit and the file with its keys are named by: another application may mount the same volume. */
export function mountName(app: string, volume: string): string {
  return `${app}-${volume}`;
}

/** First line of what the host program's `mount` reads: it refuses another one. */
export const MOUNT_FORMAT = "keelson-mount 1";

/**
 * What the host program's `mount` reads from its standard input: the unit, and the file with the keys, as in a bundle. It is a secret.
 * @example renderMount(hostMount("web-tools", access, "/srv/keelson/web/tools")) // "keelson-mount 1\nfile unit\n|[Unit]\n…end\n"
 */
export function renderMount({ unitText, configText }: Pick<HostMount, "unitText" | "configText">): string {
  return [MOUNT_FORMAT, ...file("unit", unitText), ...file("keys", configText), "end\n"].join("\n");
}

/**
 * The session that takes a mount away. It is well where the host's program has gone with its last application: that took its mounts
 * along. What is on the volume stays, and so does the cache on the host: it may hold what was not written to the volume yet.
 */
export function unmountCommand(app: string, volume: string): string {
  return wherePresent(sessionCommand("unmount", app, [volume]));
}
