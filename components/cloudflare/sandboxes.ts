import type * as pulumi from "@pulumi/pulumi";
import type { Plan, PlannedImage } from "../../core/plan.ts";
import type { Image } from "../image/image.ts";
import type { RegistryInputs } from "../image/keelson.ts";
import type { R2Volume } from "../volume/r2-volume.ts";
import { CloudflareSandbox } from "./sandbox.ts";

export interface SandboxesArgs {
  readonly images: ReadonlyMap<string, Image>;
  readonly volumes: ReadonlyMap<string, R2Volume>;
  readonly registry: RegistryInputs;
  /** Text of worker.mjs. */
  readonly worker: string;
  /** Texts of the project's own modules, by the paths that the plan has. */
  readonly workers: ReadonlyMap<string, string>;
  /** `cloudflare:apiToken`. Default: CLOUDFLARE_API_TOKEN. */
  readonly apiToken?: pulumi.Input<string> | undefined;
}

/** All containers at Cloudflare of a plan, by name. @throws UserError for an image that Cloudflare can't run. */
export function buildSandboxes(
  plan: Plan,
  { images, volumes, registry, worker, workers, apiToken }: SandboxesArgs,
  options?: pulumi.ComponentResourceOptions,
): ReadonlyMap<string, CloudflareSandbox> {
  return new Map(
    (plan.sandboxes ?? []).map(({ name, image, volume, worker: own, ...settings }) => {
      const bound = volume === undefined ? undefined : volumes.get(volume);
      const place = plan.volumes?.find((one) => one.name === volume);
      const args = {
        ...settings,
        plan,
        planned: plan.images.find((one) => one.name === image) as PlannedImage,
        image: images.get(image) as Image,
        registry,
        // The sandbox SDK needs node's modules.
        ...(own === undefined ? { worker } : { worker: workers.get(own) as string, flags: ["nodejs_compat"] }),
        ...(bound === undefined || place === undefined ? {} : { volume: { place, volume: bound } }),
        ...(apiToken === undefined ? {} : { apiToken }),
      };
      return [name, new CloudflareSandbox(name, args, options)];
    }),
  );
}
