import * as pulumi from "@pulumi/pulumi";
import type { HostConnection } from "../../core/host/connection.ts";
import type { HostLogin } from "../../core/host/secrets.ts";
import type { PlannedHost } from "../../core/host-plan.ts";
import type { R2Volume } from "../volume/r2-volume.ts";
import { Host, type HostArgs, type HostCredentials } from "./host.ts";

export interface HostsArgs extends Pick<HostArgs, "images" | "program"> {
  /** How to get into each, by name; hosts of the lab bring their key. */
  readonly access: ReadonlyMap<string, HostConnection & Pick<HostCredentials, "privateKey">>;
  /** `keelson:hosts`, with its secrets. */
  readonly credentials: pulumi.Input<Readonly<Record<string, HostCredentials | "lab">>>;
  /** `keelson:workloads`, with its secrets. */
  readonly workloads: pulumi.Input<Readonly<Record<string, { readonly secrets?: Readonly<Record<string, string>> }>>>;
  /** The stack's volumes, by name. */
  readonly volumes?: ReadonlyMap<string, R2Volume> | undefined;
  /** The registry's login, where it has one. */
  readonly login?: { readonly [K in keyof HostLogin]: pulumi.Input<string> } | undefined;
}

/** All hosts of a plan; they change side by side. */
export function buildHosts(
  planned: readonly PlannedHost[],
  args: HostsArgs,
  options?: pulumi.ComponentResourceOptions,
): ReadonlyMap<string, Host> {
  const logins = args.login === undefined ? [] : pulumi.output(args.login).apply((login) => [login as HostLogin]);
  return new Map(planned.map((host) => [host.name, buildHost(host, args, logins, options)]));
}

function buildHost(
  host: PlannedHost,
  { access, credentials, workloads, images, program, volumes = new Map() }: HostsArgs,
  logins: pulumi.Input<readonly HostLogin[]>,
  options: pulumi.ComponentResourceOptions | undefined,
): Host {
  const connection = access.get(host.name);
  if (connection === undefined) throw new Error(`nobody knows how to get into host ${host.name}`);
  const { privateKey, ...open } = connection;
  const args: HostArgs = {
    ...{ host, connection: open, images, program, logins, volumes },
    credentials: pulumi.output(credentials).apply((all): HostCredentials => {
      const own = all[host.name];
      return typeof own === "object" ? own : { ...(privateKey === undefined ? {} : { privateKey }) };
    }),
    secrets: pulumi
      .all([workloads, loaderSettings(host, volumes)])
      .apply(([all, loader]) => secretsOf(host, all as never, loader as never)),
  };
  return new Host(host.name, args, options);
}

/** By service, the tool loader's variables where it has a volume. */
function loaderSettings({ services }: PlannedHost, volumes: ReadonlyMap<string, R2Volume>) {
  const found = services.flatMap(({ name, volume }) => {
    const environment = volume === undefined ? undefined : volumes.get(volume)?.environment;
    if (volume !== undefined && environment === undefined) throw new Error(`volume ${volume} is not in the plan`);
    return environment === undefined ? [] : [[name, environment] as const];
  });
  return pulumi.all(Object.fromEntries(found));
}

/** Of the services that this host runs, and no more. */
function secretsOf(
  { services }: PlannedHost,
  workloads: Readonly<Record<string, { readonly secrets?: Readonly<Record<string, string>> }>>,
  loader: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Record<string, Record<string, string>> {
  return Object.fromEntries(
    services.flatMap(({ name }) => {
      const secrets = { ...workloads[name]?.secrets, ...loader[name] };
      return Object.keys(secrets).length === 0 ? [] : [[name, secrets]];
    }),
  );
}
