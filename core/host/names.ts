/** The two places of a service: one serves, the other holds what was before or comes next. */
export const SLOTS = ["a", "b"] as const;

/** Stand for what only the host knows: which of {@link SLOTS}, and their addresses. */
export const SLOT = "@SLOT@";
export const ADDRESS = "@ADDRESS@";
/** Stands for the hardware address that goes with {@link ADDRESS}. */
export const MAC = "@MAC@";

/** Where keelson's program stands on a host. */
export const HOST_PROGRAM = "/usr/local/lib/keelson/keelson-host";

/** State of an application on a host; root's alone. */
export function stateFolder(app: string, service: string): string {
  return `/var/lib/keelson/${app}/services/${service}`;
}

/** Files of a slot's image and of those before it, which its container mounts. */
export function assetsFolder(app: string, service: string): string {
  return `${stateFolder(app, service)}/${SLOT}/assets`;
}

/** Of a service's container, and of its unit without `.service`. @example unitName("clawft", "weft", "a") // "keelson-clawft-weft-a" */
export function unitName(app: string, service: string, slot: string): string {
  return `keelson-${app}-${service}-${slot}`;
}

/** HAProxy's settings of a service; no secret is in them. */
export function proxyConfig(app: string, service: string): string {
  return proxyFile(app, service, "cfg");
}

/** What a service's proxy reads when it starts; anybody's to read. @example proxyFile("clawft", "weft", "503.html") // "/etc/keelson/clawft/weft.503.html" */
export function proxyFile(app: string, service: string, file: string): string {
  return `/etc/keelson/${app}/${service}.${file}`;
}

/** Stands for the group that may talk to the engine, which only the host knows. */
export const ENGINE_GROUP = "@ENGINE_GROUP@";

/** The engine's socket. */
export const ENGINE_SOCKET = "/var/run/docker.sock";

/** The docker network of all services, which the host program makes. */
export const NETWORK = "keelson";
