import type { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { definitionOf } from "../../core/host/definition.ts";
import { unitName } from "../../core/host/names.ts";
import { type PlannedHost, type PlannedHostService, serviceUrl } from "../../core/host-plan.ts";

export interface SystemdServiceArgs {
  /** The host that it is a service of, from the plan. */
  readonly host: PlannedHost;
  /** One of the host's. */
  readonly service: PlannedHostService;
  /** As the host pulls it: `repository@sha256:…`. */
  readonly image: pulumi.Input<string>;
  /** Values of its secrets, by name. */
  readonly secrets: pulumi.Input<Readonly<Record<string, string>>>;
  /** Where people reach the host. */
  readonly address: string;
  /** The session that brings all services of the host to what the plan says. */
  readonly session: remote.Command;
}

/**
 * One service of a {@link Host}: a container under systemd, in one of two slots. It opens no session: its host's one does, for all of
 * them, and what that is given is a secret as a whole. This is what a preview and a state say of the service by itself: image, settings
 * as the stack has them, and the texts that the host is given, line by line; of secrets their names. It is
 * there when the session has ended well: one that failed leaves the next preview the same changes to tell.
 * @example
 * new SystemdService("vps1-weft", { host, service, image: "ghcr.io/acme/weft@sha256:…", secrets: {}, address: "203.0.113.7", session });
 * // preview: ~ keelson:host:SystemdService vps1-weft update [diff: ~environment,image]
 * @throws UserError where the service can't run.
 */
export class SystemdService extends pulumi.ComponentResource {
  /** As the host was told to run it. One with a `channel` begins with it, and follows its tag from then on. */
  readonly image: pulumi.Output<string>;
  /** As `systemctl` takes it: of its two slots one serves. @example "keelson-clawft-weft-[ab].service" */
  readonly unit: string;
  /** Where people reach it, once its host runs it; undefined for one without a port. */
  readonly url: pulumi.Output<string> | undefined;

  constructor(name: string, args: SystemdServiceArgs, options?: pulumi.ComponentResourceOptions) {
    const { host, service, address, session } = args;
    super("keelson:host:SystemdService", name, shown(args), pulumi.mergeOptions(options, { dependsOn: session }));
    this.image = pulumi.output(args.image);
    this.unit = `${unitName(host.app, service.name, "[ab]")}.${service.schedule === undefined ? "service" : "timer"}`;
    const url = serviceUrl(host, service, address);
    this.url = url === undefined ? undefined : session.stdout.apply(() => url);
    this.registerOutputs({ image: this.image, unit: this.unit, url: this.url });
  }
}

/** What a change of is a change of the service, and no more. */
function shown({ host, service, image, secrets }: SystemdServiceArgs): pulumi.Inputs {
  const { name: _, image: __, secrets: wanted = [], ...settings } = service;
  const value = (secret: string) => pulumi.secret(pulumi.output(secrets).apply((all) => all[secret] ?? ""));
  return {
    ...settings,
    image,
    ...(wanted.length === 0 ? {} : { secrets: Object.fromEntries(wanted.map((one) => [one.name, value(one.name)])) }),
    definition: definitionOf(host, service),
  };
}
