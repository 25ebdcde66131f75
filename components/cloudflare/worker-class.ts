import * as pulumi from "@pulumi/pulumi";

/** What `keelson:index:WorkerClass` of plugins/keelson takes. */
export interface WorkerClassArgs {
  readonly accountId: string;
  readonly workerId: pulumi.Input<string>;
  /** The Worker's name. */
  readonly scriptName: pulumi.Input<string>;
  readonly className: string;
  /** Of the version that makes it. @example "2025-06-24" */
  readonly compatibilityDate: string;
  /** Default: CLOUDFLARE_API_TOKEN. */
  readonly apiToken?: pulumi.Input<string>;
}

/** The resource; components use it, programs use CloudflareSandbox. */
export class WorkerClassResource extends pulumi.CustomResource {
  declare readonly namespaceId: pulumi.Output<string>;

  constructor(name: string, args: WorkerClassArgs, options?: pulumi.CustomResourceOptions) {
    const { apiToken, ...rest } = args;
    const secret = apiToken === undefined ? {} : { apiToken: pulumi.secret(apiToken) };
    super("keelson:index:WorkerClass", name, { ...rest, ...secret, namespaceId: undefined }, options);
  }
}
