import { remote, type types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { HostConnection } from "../../core/host/connection.ts";
import { mountName, plannedMounts, renderMount, unmountCommand } from "../../core/host/mounts.ts";
import { type HostLogin, renderSecrets } from "../../core/host/secrets.ts";
import { installCommand, removeCommand, sessionCommand } from "../../core/host/session.ts";
import { hostBundle, type PlannedHost } from "../../core/host-plan.ts";
import type { R2Volume } from "../volume/r2-volume.ts";
import { SystemdService } from "./systemd-service.ts";

/** What is secret in a {@link HostConnection}. */
export interface HostCredentials {
  readonly privateKey?: string | undefined;
  readonly privateKeyPassword?: string | undefined;
  readonly password?: string | undefined;
  readonly proxy?: Omit<HostCredentials, "proxy"> | undefined;
}

export interface HostArgs {
  /** What runs there, from the plan. */
  readonly host: PlannedHost;
  readonly connection: HostConnection;
  readonly credentials: pulumi.Input<HostCredentials>;
  /** Images by name: `ref` is by digest, as the host pulls it. */
  readonly images: ReadonlyMap<string, { readonly ref: pulumi.Input<string> }>;
  /** Values of secrets, by service, by name. */
  readonly secrets: pulumi.Input<Readonly<Record<string, Readonly<Record<string, string>>>>>;
  /** The stack's volumes, by name. */
  readonly volumes?: ReadonlyMap<string, Pick<R2Volume, "mount">>;
  /** Registries that ask the host who it is. */
  readonly logins?: pulumi.Input<readonly HostLogin[]>;
  /** Text of keelson's program for hosts, runtime/host/keelson-host. */
  readonly program: string;
}

/**
 * A server and all that runs on it, in two ssh sessions: one sees to engine, proxy and folders, one brings the services to
 * what the plan says, changed ones only, each new container beside the old one until it is healthy. A change of nothing
 * opens no session. Secrets travel on standard input, and are secrets in the state; outputs hold none. What changes of which service a
 * preview says by its {@link SystemdService}.
 *
 * Removing the resource removes what it runs; its data stays.
 * @example
 * const vps = new Host("vps1", { host, connection: { address: "203.0.113.7", hostKey: "ssh-ed25519 AAAA…" }, … });
 * export const urls = vps.urls; // { weft: "http://203.0.113.7" }
 */
export class Host extends pulumi.ComponentResource {
  /** By name. */
  readonly services: ReadonlyMap<string, SystemdService>;
  /** Where people reach each service that has a port. */
  readonly urls: pulumi.Output<Record<string, string>>;
  /** What the last change did, as the host told it: old and new digest of each service that changed. */
  readonly report: pulumi.Output<string>;
  /** Whether it was brought to what the plan says: not where a run passed over it. */
  readonly asPlanned: pulumi.Output<boolean>;

  constructor(name: string, args: HostArgs, options?: pulumi.ComponentResourceOptions) {
    super("keelson:host:Host", name, {}, options);
    const { host } = args;
    const connection = pulumi.secret(
      pulumi.output(args.credentials).apply((credentials) => connectionArgs(args.connection, credentials)),
    );
    // Previous outputs would travel as environment variables, which servers refuse.
    const shared = { connection, addPreviousOutputInEnv: false };
    const setup = new remote.Command(
      `${name}-setup`,
      { ...shared, create: installCommand(host.app, host.engine), stdin: args.program },
      { parent: this },
    );
    const wanted = pulumi.secret(input(args));
    const mounts = mountsOf(name, args, shared, { parent: this, dependsOn: setup });
    const services = new remote.Command(
      `${name}-services`,
      {
        ...shared,
        create: sessionCommand("apply", host.app, [
          "--owner",
          `stack-${pulumi.getStack()}`,
          "--wait",
          String(PATIENCE),
        ]),
        delete: removeCommand(host.app),
        stdin: wanted,
      },
      { parent: this, dependsOn: [setup, ...mounts] },
    );
    this.report = services.stdout;
    this.asPlanned = pulumi.unsecret(
      pulumi.all([services.stdin, wanted]).apply(([applied, given]) => applied === given),
    );
    this.services = servicesOf(name, args, services, { parent: this });
    this.urls = pulumi.output(
      Object.fromEntries([...this.services].flatMap(([each, { url }]) => (url === undefined ? [] : [[each, url]]))),
    );
    this.registerOutputs({ urls: this.urls, report: this.report });
  }
}

/** One for each of its services, all of the one session. */
function servicesOf(
  name: string,
  { host, images, secrets, connection }: HostArgs,
  session: remote.Command,
  options: pulumi.ComponentResourceOptions,
): ReadonlyMap<string, SystemdService> {
  return new Map(
    host.services.map((service) => {
      const args = {
        ...{ host, service, session, address: connection.address },
        image: refOf(service.image, host, images),
        secrets: pulumi.output(secrets).apply((all) => all[service.name] ?? {}),
      };
      return [service.name, new SystemdService(`${name}-${service.name}`, args, options)];
    }),
  );
}

/** The stack's volumes that its services mount, each a session of its own: one that leaves takes its mount along. */
function mountsOf(
  name: string,
  { host, volumes }: HostArgs,
  shared: Pick<remote.CommandArgs, "connection" | "addPreviousOutputInEnv">,
  options: pulumi.CustomResourceOptions,
): remote.Command[] {
  return plannedMounts(host.app, host.services).map(({ volume, where }) => {
    const found = volumes?.get(volume);
    if (found === undefined) throw new Error(`volume ${volume} is not in the plan`);
    const stdin = found.mount(where, mountName(host.app, volume)).apply(renderMount);
    return new remote.Command(
      `${name}-mount-${volume}`,
      {
        ...shared,
        create: sessionCommand("mount", host.app, ["--owner", `stack-${pulumi.getStack()}`, volume]),
        delete: unmountCommand(host.app, volume),
        stdin: pulumi.secret(stdin),
      },
      options,
    );
  });
}

/** Seconds that a deploy waits for another one of the same application to end. */
const PATIENCE = 60;

/** Bundle and secrets, in one text. */
function input({ host, images, secrets, logins = [] }: HostArgs): pulumi.Output<string> {
  const names = [...new Set(host.services.map(({ image }) => image))];
  const refs = pulumi.all(names.map((image) => refOf(image, host, images)));
  return pulumi
    .all([refs, secrets, logins])
    .apply(([found, values, registries]) =>
      [
        hostBundle(host, (image) => found[names.indexOf(image)] ?? image),
        renderSecrets(values as Record<string, Record<string, string>>, registries as HostLogin[]),
      ].join(""),
    );
}

function refOf(image: string, host: PlannedHost, images: HostArgs["images"]): pulumi.Input<string> {
  const built = images.get(image);
  if (built === undefined) throw new Error(`the plan lacks image ${image} of host ${host.name}`);
  return built.ref;
}

type ConnectionArgs = types.input.remote.ConnectionArgs;

function connectionArgs(connection: HostConnection, credentials: HostCredentials): ConnectionArgs {
  const { proxy } = connection;
  return {
    ...loginArgs(connection, credentials),
    ...(proxy === undefined ? {} : { proxy: loginArgs(proxy, credentials.proxy ?? {}) }),
  };
}

function loginArgs(
  { address, port, user, hostKey, agentSocket }: Omit<HostConnection, "proxy">,
  { privateKey, privateKeyPassword, password }: Omit<HostCredentials, "proxy">,
): Omit<ConnectionArgs, "proxy"> {
  const optional = { port, user, privateKey, privateKeyPassword, password, agentSocketPath: agentSocket };
  return {
    host: address,
    hostKey,
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as object),
  };
}
