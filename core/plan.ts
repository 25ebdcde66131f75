import type { Budget, Health } from "./image.ts";

/** How one platform of an image is built: natively on a node that has it, or under QEMU. */
export interface PlannedBuild {
  readonly platform: Platform;
  /** Name of the builder's node. */
  readonly node: string;
  readonly mode: "native" | "qemu";
}

/** One image of the plan. Hashes, names and secret references; never a digest that a build would give. */
export interface PlannedImage {
  readonly name: string;
  readonly family: string;
  readonly description: string;
  readonly version: string;
  /** Folder of the definition, relative to the project, with slashes. */
  readonly folder: string;
  readonly base: { readonly kind: "image" | "external"; readonly name: string };
  /** Other images of the plan that this build reads (named contexts). */
  readonly reads: readonly string[];
  readonly args: Readonly<Record<string, string>>;
  readonly target?: string;
  /** Hex sha256 over everything that the build sees, for all platforms: equal hash, equal image. */
  readonly contentHash: string;
  readonly builds: readonly PlannedBuild[];
  /** Repository below the registry's prefix. */
  readonly repository: string;
  /** Tags beside `h-<contentHash>`. */
  readonly tags: readonly string[];
  readonly budget: Budget;
  readonly health?: Health;
  readonly user: string;
  readonly smoke?: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** An external base as the plan uses it. */
export interface PlannedBase {
  readonly name: string;
  readonly platforms: readonly Platform[];
  /** `upstream`: pulled by digest from its registry. `bootstrapped`: made from locked distribution packages. */
  readonly origin: "upstream" | "bootstrapped";
  /** Hex sha256 of what pins it: the upstream digest, or the lock of its packages. */
  readonly contentHash: string;
  /** Upstream's digest, where the base is pulled. */
  readonly digest?: string;
}

/** Everything that a stack will build and run, as plain JSON, worked out before any resource exists. */
export interface Plan {
  readonly schema: 1;
  readonly stack: string;
  readonly registry: { readonly kind: "embedded" | "remote"; readonly prefix: string };
  readonly bases: readonly PlannedBase[];
  /** In build order: an image stands after all that it is built from. */
  readonly images: readonly PlannedImage[];
}
