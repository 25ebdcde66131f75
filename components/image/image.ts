import * as pulumi from "@pulumi/pulumi";
import type { CacheSetting } from "../../core/build-options.ts";
import { type GateSettings, withAllowances } from "../../core/gate-settings.ts";
import type { Plan, PlannedBase, PlannedImage } from "../../core/plan.ts";
import type { PlatformResult } from "../../core/summary.ts";
import type { Wheelhouse } from "../../core/wheelhouse.ts";
import {
  type BaseInputs,
  ImageResource,
  type NamedContextInputs,
  type RegistryInputs,
  type SourceArgs,
} from "./keelson.ts";

export interface ImageArgs {
  /** What to build, from the plan. */
  readonly image: PlannedImage;
  readonly plan: Plan;
  readonly registry: RegistryInputs;
  /** `keelson:builder`, `keelson:cache` and `keelson:gates` of the stack. */
  readonly builder: pulumi.Input<unknown>;
  readonly cache: CacheSetting;
  readonly gates: pulumi.Input<unknown>;
  /** `keelson:wheelhouse`, opened. Default: the index that pip is set up with. */
  readonly wheelhouse?: pulumi.Input<Wheelhouse> | undefined;
  /** Builds the platforms with other resources; absent: `keelson:index:Image` builds them itself. */
  readonly buildPlatforms?: BuildPlatforms | undefined;
  /** The images that this one is made from, by name. */
  readonly parents: ReadonlyMap<string, Image>;
}

/** Declares resources below `options.parent` that build and push each platform. @returns their digests by platform. */
export type BuildPlatforms = (
  name: string,
  source: SourceArgs,
  cache: CacheSetting,
  options: pulumi.CustomResourceOptions,
) => Readonly<Record<string, pulumi.Output<string>>>;

/**
 * One image of the catalogue in a registry: an index for all its platforms, smoke-tested and within its gates.
 * @example
 * const minimal = new Image("worker-minimal", { image: plan.images[1], plan, registry: { host: "embedded" }, … });
 * export const ref = minimal.ref; // localhost:5443/worker-minimal@sha256:…
 */
export class Image extends pulumi.ComponentResource {
  /** `host/repository@sha256:…`: what a workload runs. */
  readonly ref: pulumi.Output<string>;
  /** Digest of the index. */
  readonly digest: pulumi.Output<string>;
  readonly platforms: pulumi.Output<PlatformResult[]>;
  /** Content hash of what stands there: an older one, or none, where a run passed over it. */
  readonly standing: pulumi.Output<string | undefined>;

  constructor(name: string, args: ImageArgs, options?: pulumi.ComponentResourceOptions) {
    super("keelson:image:Image", name, {}, options);
    const { image } = args;
    const source: SourceArgs = {
      imageName: image.name,
      repository: image.repository,
      registry: args.registry,
      contentHash: image.contentHash,
      folder: image.folder,
      ...(image.target === undefined ? {} : { target: image.target }),
      args: image.args,
      base: baseInputs(image, args),
      contexts: contextInputs(image, args.parents),
      builds: image.builds,
      builder: args.builder,
      ...(args.wheelhouse === undefined ? {} : { wheelhouse: pulumi.secret(args.wheelhouse) }),
    };
    const built = args.buildPlatforms?.(name, source, args.cache, { parent: this });
    const resource = new ImageResource(
      name,
      {
        ...source,
        cache: args.cache,
        ...(built === undefined ? {} : { built }),
        tags: image.tags,
        ...(image.release === undefined ? {} : { release: image.release }),
        annotations: image.annotations,
        provenance: provenance(args.plan),
        budget: image.budget,
        ...(image.smoke === undefined ? {} : { smoke: image.smoke }),
        user: image.user,
        ...(image.health === undefined ? {} : { health: image.health }),
        gates: pulumi.output(args.gates as pulumi.Input<GateSettings>).apply((gates) => withAllowances(gates, image)),
        ...(image.cuda === undefined ? {} : { cuda: image.cuda }),
      },
      { parent: this, retainOnDelete: true },
    );
    this.ref = resource.ref;
    this.digest = resource.digest;
    this.platforms = resource.platforms;
    this.standing = pulumi
      .all([resource.digest, resource.contentHash])
      // One that was never made has no digest, and of its inputs the plan's.
      .apply(([digest, contentHash]) => ((digest as string | undefined) ? contentHash : undefined));
    this.registerOutputs({ ref: this.ref, digest: this.digest, platforms: this.platforms });
  }
}

/** All images of a plan, each made from the ones before it. */
export function buildImages(
  plan: Plan,
  args: Omit<ImageArgs, "image" | "plan" | "parents">,
  options?: pulumi.ComponentResourceOptions,
): ReadonlyMap<string, Image> {
  const images = new Map<string, Image>();
  for (const image of plan.images)
    images.set(image.name, new Image(image.name, { ...args, image, plan, parents: images }, options));
  return images;
}

function baseInputs(image: PlannedImage, { plan, parents }: ImageArgs): BaseInputs {
  const { kind, name } = image.base;
  const base = (kind === "image" ? plan.images : plan.bases).find((b) => b.name === name);
  if (base === undefined) throw new Error(`the plan lacks base ${name} of ${image.name}`);
  const hash = base.contentHash;
  if (kind === "image") return { kind, hash, ref: parentRef(image, name, parents) };
  return { kind, hash, name, origin: (base as PlannedBase).origin };
}

function contextInputs(
  image: PlannedImage,
  parents: ReadonlyMap<string, Image>,
): Readonly<Record<string, NamedContextInputs>> {
  return Object.fromEntries(
    Object.entries(image.contexts).map(([name, context]): [string, NamedContextInputs] => {
      const { kind, hash } = context;
      if (kind === "image") return [name, { kind, hash, ref: parentRef(image, context.image, parents) }];
      if (kind === "lock") return [name, { kind, hash, file: context.file }];
      if (kind === "base") return [name, { kind: "image", hash, ref: context.ref }];
      return [name, { kind, hash, path: context.path }];
    }),
  );
}

function parentRef(image: PlannedImage, name: string, parents: ReadonlyMap<string, Image>): pulumi.Output<string> {
  const parent = parents.get(name);
  if (parent === undefined) throw new Error(`${image.name} is made from ${name}, which stands later in the plan`);
  return parent.ref;
}

/** OCI image specification, predefined annotation keys. */
function provenance({ commit }: Plan): Record<string, string> {
  if (commit === undefined) return {};
  return {
    "org.opencontainers.image.revision": commit.id,
    "org.opencontainers.image.created": `${commit.date}T00:00:00Z`,
  };
}
