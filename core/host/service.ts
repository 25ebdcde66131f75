import type { Duration } from "../duration.ts";
import type { Size } from "../size.ts";

/**
 * One container that a host runs as a systemd unit.
 * @example
 * { name: "weft", image: "ghcr.io/acme/weft@sha256:…", port: { container: 8080, publish: 80 },
 *   health: { port: 8080, path: "/health" }, volumes: [{ source: "config", target: "/home/weft/.clawft" }] }
 */
export interface HostService {
  /** Lower case, digits and dashes, 1 to 40: part of unit, container and folder names. */
  readonly name: string;
  /** By digest, `repository@sha256:<hex>`: a host runs no tag. */
  readonly image: string;
  /**
   * Tag of the image's repository that it follows: the host takes what the tag stands on, by digest, now and whenever a promote
   * moves it, in the way of every update. `image` is then what it begins with where there is no such tag yet.
   * @example "stable"
   */
  readonly channel?: string;
  /** What stands after the image's entrypoint. Default: the image's CMD. */
  readonly command?: readonly string[];
  /** `uid:gid`. Default: the image's own. */
  readonly user?: string;
  /** Where it is reached. A service without one is a worker. */
  readonly port?: HostPort;
  /** Variables that are no secrets; no value has a line break. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly HostSecret[];
  readonly volumes?: readonly HostVolume[];
  /** The stack's volume whose settings for the tool loader are among its secrets. */
  readonly volume?: string;
  readonly limits?: HostLimits;
  /** When a new container serves. Default: its image's HEALTHCHECK; without one, when it has run for 3 s. */
  readonly health?: HostHealth;
  /**
   * `beside`: the new container serves before the old one stops (needs a port). `replace`: the old one is stopped first, for
   * data that only one may hold. Default: beside with a port, replace without.
   */
  readonly update?: "beside" | "replace";
  /** How long requests that run on the old container may last after the switch; a job's run, after a change of it. Default: 30 s. */
  readonly drain?: Duration;
  /** From TERM to KILL. Default: 10 s. */
  readonly stop?: Duration;
  /** Services of the same host that start before. */
  readonly after?: readonly string[];
  /** Services of a lower wave are all healthy before one of a higher wave is changed. Default: 0. */
  readonly wave?: number;
  /** Where it fails, the services behind it are changed all the same, and the deploy succeeds, saying so. */
  readonly optional?: boolean;
  /**
   * Names by which containers of the host reach it directly, past its proxy: for what the host's network shall not see. Only for
   * one that is replaced, since two containers would answer to the name in an update beside.
   * @example ["redis"]
   */
  readonly aliases?: readonly string[];
  /** It is given the engine's socket, and with it the host: whoever may talk to the engine is root there. */
  readonly engine?: boolean;
  /** When it runs, in systemd's calendar notation: a job that ends, not a service. @example "*-*-* 03:00" */
  readonly schedule?: string;
  /** Devices in CDI's notation, behind `nvidia.com/gpu=`; a host that does not have them refuses the service. @example ["all"] */
  readonly gpus?: readonly string[];
  /** Makes a file of the config folder with the image's own command, once; a file that is there is never touched. */
  readonly init?: { readonly file: string; readonly command: readonly string[] };
  /** Programs on the host, by absolute path, before and after an update: the first stops it by failing. */
  readonly hooks?: { readonly before?: string; readonly after?: string };
  /**
   * How long it may be unhealthy at a stretch before it is started anew: by `health` where it has a port, else by its image's
   * HEALTHCHECK. Default: as long as it runs.
   */
  readonly watchdog?: Duration;
  /**
   * Pages of its own, texts by file: what its proxy answers where no container answers (`502.html`), and in maintenance
   * (`maintenance.html`, with the message where it says `{{message}}`). Default: HAProxy's, and a plain page.
   */
  readonly errorPages?: Readonly<Record<string, string>>;
  /**
   * Folder of the image whose files are served beside those that earlier images have there, as many as stay on the host: a page that a
   * browser had before an update finds its own. Names carry a hash of the content; of files of one name it is the image's own.
   * @example "/app/public/assets"
   */
  readonly assets?: string;
  /** Folders in memory that it may write to; its root is read-only. Default: /tmp of 64 MiB. */
  readonly scratch?: Readonly<Record<string, Size>>;
}

export interface HostPort {
  /** What the container listens on. */
  readonly container: number;
  /** What the host listens on. */
  readonly publish: number;
  /** The host's address to listen on. Default: all. */
  readonly address?: string;
  /** `http` loses no request at an update, also on kept connections; `tcp` loses no connection that ends within `drain`. Default: http. */
  readonly protocol?: "http" | "tcp";
}

/** A secret by name; its value travels apart. As a file it is /run/secrets/NAME, and NAME_FILE names it. Default: environment. */
export interface HostSecret {
  readonly name: string;
  readonly as?: "environment" | "file";
}

/** A folder of the host: `config` and `data` are /opt/APP/config and /opt/APP/data, anything else an absolute path. */
export interface HostVolume {
  readonly source: string;
  /** The stack's volume that is mounted there, if one is: the service waits for the mount. */
  readonly volume?: string;
  readonly target: string;
  readonly readOnly?: boolean;
}

/** Bounds. Default: 512 processes, and the machine's memory and cores. */
export interface HostLimits {
  readonly memory?: Size;
  readonly cpus?: number;
  readonly processes?: number;
}

export interface HostHealth {
  readonly port: number;
  /** GET must answer 2xx. Default: a connection that is taken is enough. */
  readonly path?: string;
  /** From the start to the first success. Default: 30 s. */
  readonly within?: Duration;
}

/** What runs containers on a host: the docker engine, or Podman by Quadlets, without a daemon. */
export const HOST_ENGINES = ["docker", "podman"] as const;
export type HostEngine = (typeof HOST_ENGINES)[number];

/** Everything that one host runs for one application. */
export interface HostBundle {
  /** Folder below /opt, and prefix of units and containers: lower case, digits, dashes, 1 to 40. */
  readonly app: string;
  readonly services: readonly HostService[];
  /** Default: docker. Podman is 4.4 or newer. */
  readonly engine?: HostEngine;
  /** Images that stay on the host beside those that run, newest first. Default: 2. */
  readonly keep?: number;
  /** Of the host: lets in ssh, ping, and the ports that services publish, and nothing else. Default: false. */
  readonly firewall?: boolean;
  /** Of the host: installs its distribution's security updates by itself, without a reboot. Default: as the host has it. */
  readonly upgrades?: boolean;
}

export const NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;
export const DRAIN: Duration = "30 s";
export const STOP: Duration = "10 s";
export const HEALTHY_WITHIN: Duration = "30 s";

/** How a service is updated. */
export function updateOf(service: HostService): "beside" | "replace" {
  return service.update ?? (service.port === undefined ? "replace" : "beside");
}

/** Whether its proxy reads requests, and may answer them itself. */
export function isHttp({ port }: HostService): boolean {
  return port !== undefined && port.protocol !== "tcp";
}
