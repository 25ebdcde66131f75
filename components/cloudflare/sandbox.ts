import { Worker } from "@pulumi/cloudflare/worker.js";
import { WorkersDeployment } from "@pulumi/cloudflare/workersDeployment.js";
import { WorkerVersion } from "@pulumi/cloudflare/workerVersion.js";
import * as pulumi from "@pulumi/pulumi";
import { usualSteps } from "../../core/cloudflare/instance-types.ts";
import { requireSandboxBase } from "../../core/cloudflare/sandbox-base.ts";
import { UserError } from "../../core/error.ts";
import type { Plan, PlannedImage } from "../../core/plan.ts";
import type { PlatformResult } from "../../core/summary.ts";
import type { Image } from "../image/image.ts";
import type { RegistryInputs } from "../image/keelson.ts";
import type { R2Volume } from "../volume/r2-volume.ts";
import { ContainerApplicationResource } from "./application.ts";
import { WorkerClassResource } from "./worker-class.ts";

/** The Durable Object class of worker.mjs. */
const CLASS = "Sandbox";
/** The first day whose Workers can have containers (developers.cloudflare.com/changelog, 2025-06-24). */
const COMPATIBILITY_DATE = "2025-06-24";

export interface CloudflareSandboxArgs {
  /** The account's id. */
  readonly account: string;
  /** An image on cloudflare/sandbox, with its place in the plan. */
  readonly planned: PlannedImage;
  readonly plan: Plan;
  readonly image: Image;
  /** Where the image is. */
  readonly registry: RegistryInputs;
  /** Text of the Worker's module (worker.mjs): it has the class Sandbox. */
  readonly worker: string;
  /** Compatibility flags of the Worker. Default: none. @example ["nodejs_compat"] */
  readonly flags?: readonly string[];
  /** Where the tools are kept: bound to the Worker, and its settings are the container's. Default: none. */
  readonly volume?: {
    readonly place: { readonly bucket: string; readonly jurisdiction?: string };
    readonly volume: R2Volume;
  };
  /** Default: "standard-1". */
  readonly instanceType?: string;
  /** Cloudflare's bound. Default: 1, for worker.mjs sends all requests to one. */
  readonly maxInstances?: number;
  /** An address at workers.dev, which anybody reaches. Default: false; a route or a domain is then the Worker's way in. */
  readonly workersDev?: boolean;
  /** Percentages of a rollout. Default: 10, then 100; of one instance all at once, as wrangler's. */
  readonly steps?: readonly number[];
  /** Seconds that a rollout may take. Default: 900. */
  readonly within?: number;
  /** For the application's part of the API; default: CLOUDFLARE_API_TOKEN. */
  readonly apiToken?: pulumi.Input<string>;
}

/**
 * An image as a container behind a Worker at Cloudflare: pushed to Cloudflare's registry, rolled out in steps, reached through the Worker.
 * @example new CloudflareSandbox("gateway", { account, planned, plan, image, registry, worker })
 * @throws UserError for an image that is not made from cloudflare/sandbox, or not for linux/amd64.
 */
export class CloudflareSandbox extends pulumi.ComponentResource {
  declare readonly image: pulumi.Output<string>;
  declare readonly applicationId: pulumi.Output<string>;
  declare readonly scriptName: pulumi.Output<string>;

  constructor(name: string, args: CloudflareSandboxArgs, options?: pulumi.ComponentResourceOptions) {
    requireSandboxBase(args.plan, args.planned.name);
    super("keelson:cloudflare:CloudflareSandbox", name, {}, options);
    const { account: accountId, planned, volume } = args;
    const child = { parent: this };
    const subdomain = { enabled: args.workersDev ?? false, previewsEnabled: false };
    const worker = new Worker(name, { accountId, name, observability: { enabled: true }, subdomain }, child);
    const token = args.apiToken === undefined ? {} : { apiToken: args.apiToken };
    // A version can't be bound to a class that no deployment has made.
    const made = new WorkerClassResource(
      `${name}-class`,
      {
        accountId,
        workerId: worker.id,
        scriptName: worker.name,
        className: CLASS,
        compatibilityDate: COMPATIBILITY_DATE,
        ...token,
      },
      child,
    );
    const version = new WorkerVersion(
      `${name}-version`,
      {
        accountId,
        workerId: worker.id,
        compatibilityDate: COMPATIBILITY_DATE,
        ...(args.flags === undefined ? {} : { compatibilityFlags: [...args.flags] }),
        mainModule: "worker.mjs",
        modules: [
          {
            name: "worker.mjs",
            contentType: "application/javascript+module",
            contentBase64: Buffer.from(args.worker).toString("base64"),
          },
        ],
        containers: [{ className: CLASS }],
        bindings: bindings(volume),
      },
      { parent: this, dependsOn: [made] },
    );
    const deployment = new WorkersDeployment(
      `${name}-deployment`,
      {
        accountId,
        scriptName: worker.name,
        strategy: "percentage",
        versions: [{ versionId: version.id, percentage: 100 }],
      },
      child,
    );
    const application = new ContainerApplicationResource(
      `${name}-application`,
      {
        accountId,
        name,
        registry: args.registry,
        repository: planned.repository,
        digest: args.image.platforms.apply((platforms) => runnable(planned.name, platforms)),
        scriptName: worker.name,
        className: CLASS,
        instanceType: args.instanceType ?? "standard-1",
        maxInstances: args.maxInstances ?? 1,
        logs: true,
        steps: args.steps ?? usualSteps(args.maxInstances ?? 1),
        gracePeriod: 0,
        within: args.within ?? 900,
        ...token,
      },
      { parent: this, dependsOn: [deployment] },
    );
    this.image = application.image;
    this.applicationId = application.applicationId;
    this.scriptName = worker.name;
    this.registerOutputs({ image: this.image, applicationId: this.applicationId, scriptName: this.scriptName });
  }
}

/** The class, and of a volume the bucket for the Worker and the loader's settings for the container. */
function bindings(volume: CloudflareSandboxArgs["volume"]) {
  const own = [{ type: "durable_object_namespace", name: "SANDBOX", className: CLASS }];
  if (volume === undefined) return own;
  const texts = volume.volume.environment.apply((environment) =>
    Object.entries(environment).map(([name, text]) => ({ type: "secret_text", name, text })),
  );
  const { bucket: bucketName, jurisdiction } = volume.place;
  const bucket = {
    type: "r2_bucket",
    name: "VOLUME",
    bucketName,
    ...(jurisdiction === undefined ? {} : { jurisdiction }),
  };
  return texts.apply((settings) => [...own, bucket, ...settings]);
}

/** Digest of the one platform that Cloudflare's containers run. @throws UserError where the image has none. */
export function runnable(name: string, platforms: readonly Pick<PlatformResult, "platform" | "digest">[]): string {
  const found = platforms.find(({ platform }) => platform === "linux/amd64");
  if (found !== undefined) return found.digest;
  throw new UserError(
    `${name} has no linux/amd64, and Cloudflare's containers run nothing else`,
    "add it to keelson:platforms",
  );
}
