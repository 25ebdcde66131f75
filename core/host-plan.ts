import { UserError } from "./error.ts";
import type { Finding } from "./finding.ts";
import { renderBundle } from "./host/bundle.ts";
import type { HostEngine, HostSecret, HostService, HostVolume } from "./host/service.ts";
import type { Health } from "./image.ts";
import { hint } from "./lineage.ts";
import { defined, type Loose } from "./optional.ts";
import { LOADER_VARIABLES } from "./volume/consumers.ts";
import { mountPoint } from "./volume/uses.ts";

/** A container on a host, before its image is built: `image` is the catalogue's name of it. */
export type PlannedHostService = HostService;

/** A server and all that the stack runs on it. */
export interface PlannedHost {
  readonly name: string;
  /** Where it is, without whoever may log in; `lab`: a host of the lab. */
  readonly address: string;
  readonly app: string;
  readonly engine?: HostEngine;
  readonly keep?: number;
  readonly firewall?: boolean;
  readonly upgrades?: boolean;
  readonly url?: string;
  readonly services: readonly PlannedHostService[];
}

/** `keelson:hosts` as far as a plan needs it. */
export type HostsChoice = Readonly<
  Record<
    string,
    | "lab"
    | {
        readonly address: string;
        readonly app?: string | undefined;
        readonly engine?: HostEngine | undefined;
        readonly keep?: number | undefined;
        readonly firewall?: boolean | undefined;
        readonly upgrades?: boolean | undefined;
        readonly url?: string | undefined;
      }
  >
>;

/** `keelson:workloads`: a service, the hosts that run it, and which of its secrets are files. */
export type WorkloadsChoice = Readonly<
  Record<
    string,
    Loose<Omit<HostService, "name" | "secrets" | "volumes">> & {
      readonly volumes?:
        | readonly (Loose<Omit<HostVolume, "source">> & { readonly source?: string | undefined })[]
        | undefined;
      readonly hosts: readonly string[];
      readonly secrets?: Readonly<Record<string, unknown>> | undefined;
      readonly secretFiles?: readonly string[] | undefined;
    }
  >
>;

/** The default of `app`. */
export const APP = "keelson";

/** Names of the images that a stack's workloads run. */
export function workloadImages(workloads: WorkloadsChoice): string[] {
  return [...new Set(Object.values(workloads).map(({ image }) => image))].toSorted();
}

/**
 * What each host runs, and what is wrong with that, with the key that it stands under.
 * @param health what images say of their own health, by name: a workload need not say it again.
 * @example planHosts({ vps1: "lab" }, { weft: { image: "weft", hosts: ["vps1"] } }, new Map())
 */
export function planHosts(
  hosts: HostsChoice,
  workloads: WorkloadsChoice,
  health: ReadonlyMap<string, Health | undefined>,
): { readonly hosts: readonly PlannedHost[]; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  for (const [name, workload] of Object.entries(workloads)) {
    findings.push(...unknownHosts(name, workload.hosts, Object.keys(hosts)));
    findings.push(...unknownSecrets(name, workload));
  }
  const planned = Object.entries(hosts)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, choice]): PlannedHost => {
      const { address, app, engine, keep, firewall, upgrades, url } = choice === "lab" ? { address: "lab" } : choice;
      const services = Object.entries(workloads)
        .filter(([, workload]) => workload.hosts.includes(name))
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([service, workload]) => planService(app ?? APP, service, workload, health.get(workload.image)));
      return {
        ...{ name, address, app: app ?? APP },
        ...(engine === undefined ? {} : { engine }),
        ...(keep === undefined ? {} : { keep }),
        ...(firewall === undefined ? {} : { firewall }),
        ...(upgrades === undefined ? {} : { upgrades }),
        ...(url === undefined ? {} : { url }),
        services,
      };
    });
  findings.push(...planned.flatMap(bundleFindings), ...sharedFindings(planned));
  return { hosts: planned, findings };
}

/** What a host is given, once the images are built. @param refs by name of the image: `repository@sha256:…` */
export function hostBundle(
  { app, engine, keep, firewall, upgrades, services }: PlannedHost,
  refs: (image: string) => string,
): string {
  const resolved = services.map((service) => ({ ...service, image: refs(service.image) }));
  return renderBundle({
    app,
    services: resolved,
    ...(engine === undefined ? {} : { engine }),
    ...(keep === undefined ? {} : { keep }),
    ...(firewall === undefined ? {} : { firewall }),
    ...(upgrades === undefined ? {} : { upgrades }),
  });
}

/** Where people reach a service of a host; undefined for one without a port. */
export function serviceUrl(host: PlannedHost, service: PlannedHostService, address: string): string | undefined {
  const { port } = service;
  if (port === undefined) return undefined;
  const base = new URL(host.url ?? `http://${address.includes(":") ? `[${address}]` : address}`);
  if (port.protocol === "tcp") return `tcp://${base.hostname}:${port.publish}`;
  base.port = String(port.publish);
  return base.origin;
}

function planService(
  app: string,
  name: string,
  workload: WorkloadsChoice[string],
  health: Health | undefined,
): PlannedHostService {
  const { hosts: _, secrets, secretFiles = [], ...rest } = workload;
  const loader = rest.volume === undefined ? [] : LOADER_VARIABLES;
  const names = [...new Set([...Object.keys(secrets ?? {}), ...loader])].toSorted();
  const http = health?.http;
  return defined({
    name,
    ...rest,
    volumes: rest.volumes?.map((volume) =>
      defined({ ...volume, ...(volume.volume === undefined ? {} : { source: mountPoint(app, volume.volume) }) }),
    ),
    health: rest.health ?? (http === undefined ? undefined : { ...http, within: health?.within }),
    secrets:
      names.length === 0
        ? undefined
        : names.map((secret): HostSecret => ({ name: secret, ...(secretFiles.includes(secret) && { as: "file" }) })),
  }) as unknown as PlannedHostService;
}

function unknownHosts(workload: string, wanted: readonly string[], known: readonly string[]): Finding[] {
  return wanted
    .filter((host) => !known.includes(host))
    .map((host) => ({
      rule: "host/unknown",
      severity: "error",
      subject: `keelson:workloads.${workload}.hosts`,
      message: `"${host}" is no host of keelson:hosts`,
      fix: `write one of: ${known.toSorted().join(", ") || "(there is none)"}${hint(host, known)}`,
    }));
}

function unknownSecrets(workload: string, { secrets = {}, secretFiles = [] }: WorkloadsChoice[string]): Finding[] {
  return secretFiles
    .filter((name) => !Object.hasOwn(secrets, name))
    .map((name) => ({
      rule: "host/unknown-secret",
      severity: "error",
      subject: `keelson:workloads.${workload}.secretFiles`,
      message: `"${name}" is none of its secrets`,
      fix: `pulumi config set --secret --path 'keelson:workloads.${workload}.secrets.${name}'`,
    }));
}

/** What only shows when all of a host's services are seen together. */
function bundleFindings(host: PlannedHost): Finding[] {
  try {
    hostBundle(host, (image) => `${image}@sha256:${"0".repeat(64)}`);
    return [];
  } catch (error) {
    if (!(error instanceof UserError) && !(error instanceof RangeError)) throw error;
    return [
      {
        rule: "host/services",
        severity: "error",
        subject: `keelson:hosts.${host.name}`,
        message: error.message,
        fix: error instanceof UserError ? error.fix : "mend it in keelson:workloads",
      },
    ];
  }
}

/** Two names for one place would take each other's services for their own. */
function sharedFindings(hosts: readonly PlannedHost[]): Finding[] {
  return hosts
    .filter(
      (host, i) =>
        host.address !== "lab" && hosts.findIndex((h) => h.address === host.address && h.app === host.app) < i,
    )
    .map((host) => ({
      rule: "host/twice",
      severity: "error",
      subject: `keelson:hosts.${host.name}`,
      message: `application ${host.app} on ${host.address} is another host's already`,
      fix: "give it another app, or its workloads to the other host",
    }));
}
