import * as pulumi from "@pulumi/pulumi";
import type { RegistryInputs } from "../image/keelson.ts";

/** What `keelson:index:ContainerApplication` of plugins/keelson takes. */
export interface ContainerApplicationArgs {
  readonly accountId: string;
  readonly name: string;
  /** Where the image is now; it is copied to Cloudflare's registry. */
  readonly registry: RegistryInputs;
  readonly repository: string;
  /** Of the manifest for linux/amd64. */
  readonly digest: pulumi.Input<string>;
  /** The Worker, and its Durable Object class that starts instances. */
  readonly scriptName: pulumi.Input<string>;
  readonly className: string;
  readonly instanceType: string;
  readonly maxInstances: number;
  readonly logs: boolean;
  /** Percentages of instances, growing to 100. */
  readonly steps: readonly number[];
  /** Seconds. */
  readonly gracePeriod: number;
  /** Seconds. */
  readonly within: number;
  /** Default: CLOUDFLARE_API_TOKEN. */
  readonly apiToken?: pulumi.Input<string>;
}

/** The resource; components use it, programs use CloudflareSandbox. */
export class ContainerApplicationResource extends pulumi.CustomResource {
  declare readonly applicationId: pulumi.Output<string>;
  /** @example "registry.cloudflare.com/0123…/gateway@sha256:…" */
  declare readonly image: pulumi.Output<string>;

  constructor(name: string, args: ContainerApplicationArgs, options?: pulumi.CustomResourceOptions) {
    const { apiToken, ...rest } = args;
    const secret = apiToken === undefined ? {} : { apiToken: pulumi.secret(apiToken) };
    const outputs = { applicationId: undefined, image: undefined };
    super("keelson:index:ContainerApplication", name, { ...rest, ...secret, ...outputs }, options);
  }
}
