import * as pulumi from "@pulumi/pulumi";
import type { CudaWish } from "../../core/cuda/wish.ts";
import type { Budget, Health } from "../../core/image.ts";
import type { PlannedBuild } from "../../core/plan.ts";
import type { PlatformResult } from "../../core/summary.ts";
import type { Wheelhouse } from "../../core/wheelhouse.ts";

/** Where an image is pushed. */
export interface RegistryInputs {
  /** Host with port, or `embedded` for the registry that the toolchain runs on this machine. */
  readonly host: pulumi.Input<string>;
  /** Absent: credentials come from the docker config and its helpers. */
  readonly username?: pulumi.Input<string>;
  readonly password?: pulumi.Input<string>;
}

/** What an image is built FROM; `hash` is its content hash. */
export type BaseInputs = { readonly hash: string } & (
  | /** An image of the plan: its digest-pinned ref. */ { readonly kind: "image"; readonly ref: pulumi.Input<string> }
  /** A base of images/bases.lock.json. */
  | { readonly kind: "external"; readonly name: string; readonly origin: "upstream" | "bootstrapped" }
);

/** A named context: a folder, a lock of artifacts (both relative to the project), or an image's ref; and its hash. */
export type NamedContextInputs = { readonly hash: string } & (
  | { readonly kind: "path"; readonly path: string }
  /** Sources, whose folder may lie outside of the project. */
  | { readonly kind: "source"; readonly path: string }
  | { readonly kind: "lock"; readonly file: string }
  | { readonly kind: "image"; readonly ref: pulumi.Input<string> }
);

/** What an image is built from, where, and where it goes. */
export interface SourceArgs {
  readonly imageName: string;
  readonly repository: string;
  readonly registry: RegistryInputs;
  /** Decides everything: equal hash, equal image. */
  readonly contentHash: string;
  /** Folder with the Dockerfile, relative to the project. */
  readonly folder: string;
  readonly target?: string;
  readonly args: Readonly<Record<string, string>>;
  readonly base: BaseInputs;
  readonly contexts: Readonly<Record<string, NamedContextInputs>>;
  readonly builds: readonly PlannedBuild[];
  /** `keelson:builder` as the stack has it: which nodes there are and how they are reached. */
  readonly builder: pulumi.Input<unknown>;
  /** Where wheels come from in place of the machine's own index; decides no bytes. A secret as a whole. */
  readonly wheelhouse?: pulumi.Input<Wheelhouse>;
}

export interface ImageResourceArgs extends SourceArgs {
  readonly cache: string;
  /** Digests of platforms that another resource builds and pushes: they are checked and taken into the index. */
  readonly built?: pulumi.Input<Readonly<Record<string, pulumi.Input<string>>>>;
  readonly tags: readonly string[];
  /** Tag that a promotion puts on it as well, for the preview to tell. */
  readonly release?: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Annotations that every commit changes: pushed beside the image, as an artifact that refers to it. */
  readonly provenance: Readonly<Record<string, string>>;
  readonly budget: Budget;
  /** Script inside the folder that is run in the built image. */
  readonly smoke?: string;
  readonly user: string;
  /** How to know that it serves: polled in each built platform, and read by the gates. */
  readonly health?: Health;
  /** `keelson:gates`. */
  readonly gates: pulumi.Input<unknown>;
  /** The cards that its CUDA code has to run on. */
  readonly cuda?: CudaWish;
}

/**
 * `keelson:index:Image` of plugins/keelson: found in the registry by its content hash, or built, checked and pushed.
 * Components use it; programs use {@link Image} of components/image/image.ts.
 */
export class ImageResource extends pulumi.CustomResource {
  declare readonly ref: pulumi.Output<string>;
  declare readonly digest: pulumi.Output<string>;
  declare readonly contentHash: pulumi.Output<string>;
  declare readonly platforms: pulumi.Output<PlatformResult[]>;

  constructor(name: string, args: ImageResourceArgs, options?: pulumi.CustomResourceOptions) {
    super("keelson:index:Image", name, { ...args, ref: undefined, digest: undefined, platforms: undefined }, options);
  }
}

/** Where a platform is built, and the named contexts that its build sees. */
export interface PlatformContext {
  /** buildx builder of its node. */
  readonly builder: string;
  /** Folders relative to the project, or `docker-image://` references, by name. */
  readonly contexts: Readonly<Record<string, string>>;
}

/**
 * `keelson:index:BuildContext` of plugins/keelson: what an image is built from, staged in the checkout as exactly the
 * bytes of its content hash, for a resource of another plugin that builds it.
 */
export class BuildContextResource extends pulumi.CustomResource {
  /** The registry's name in references. */
  declare readonly host: pulumi.Output<string>;
  /** What the Dockerfile gets as BASE_IMAGE, pinned by digest. */
  declare readonly baseRef: pulumi.Output<string>;
  /** Folder of the context, relative to the project. */
  declare readonly location: pulumi.Output<string>;
  declare readonly dockerfile: pulumi.Output<string>;
  declare readonly platforms: pulumi.Output<Readonly<Record<string, PlatformContext>>>;

  constructor(name: string, args: SourceArgs, options?: pulumi.CustomResourceOptions) {
    const outputs = {
      host: undefined,
      baseRef: undefined,
      location: undefined,
      dockerfile: undefined,
      platforms: undefined,
    };
    super("keelson:index:BuildContext", name, { ...args, ...outputs }, options);
  }
}
