import type { Difference, EntryDifference } from "./image-diff.ts";

/** One layer that is not the same on both sides. */
export interface LayerDifference {
  /** From 1, the lowest first. */
  readonly layer: number;
  /** The step that made it, as the image's history has it. */
  readonly createdBy?: string;
  /** Of the layers as they are transferred; absent where a side has fewer layers. */
  readonly digests: readonly [string | undefined, string | undefined];
  /**
   * `missing`: one side has fewer layers. `entries`: files differ. `order`: the same files in another order. `archive`: the
   * same files in the same order, other bytes around them. `compression`: the same archive, compressed otherwise.
   */
  readonly kind: "missing" | "entries" | "order" | "archive" | "compression";
  readonly entries: readonly EntryDifference[];
}

/** How two images of one platform differ. */
export interface ImageDifference {
  /** @example ["first build", "registry"] */
  readonly between: readonly [string, string];
  readonly digests: readonly [string, string];
  /** Of the manifests, beside config and layers. */
  readonly manifest: readonly Difference[];
  /** Of the configs, beside the layers' hashes. */
  readonly config: readonly Difference[];
  readonly layers: readonly LayerDifference[];
}

/** One platform of an image, built from nothing: twice, or once to be held against the registry's. */
export interface PlatformReproduction {
  readonly platform: string;
  /** Digests of the builds. */
  readonly builds: readonly string[];
  /** What the registry holds for the same content hash; absent where it holds nothing. */
  readonly registry?: string;
  /** Empty where all digests are one. */
  readonly differences: readonly ImageDifference[];
}

/** What `keelson reproduce` found. */
export interface Reproduction {
  readonly image: string;
  readonly contentHash: string;
  readonly platforms: readonly PlatformReproduction[];
}

/** Whether every platform has one digest, in all builds and in the registry where it has any. */
export function isReproducible({ platforms }: Reproduction): boolean {
  return platforms.every(({ differences }) => differences.length === 0);
}
