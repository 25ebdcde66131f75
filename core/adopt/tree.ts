import type { Dockerfile } from "../dockerfile.ts";
import type { Facts } from "./facts.ts";
import type { AdoptedImage, ResolvedBuild } from "./model.ts";

/** Everything that the rules look at. */
export interface AdoptedTree {
  readonly files: readonly Dockerfile[];
  readonly facts: Facts;
  readonly builds: readonly ResolvedBuild[];
  readonly images: readonly AdoptedImage[];
  /** The one image of the tree that a name means in a file; undefined where it may be several. */
  readonly imageOf: (ref: string, file: string) => AdoptedImage | undefined;
  /** Machine profiles that GPU images are judged against. */
  readonly machines: readonly string[];
}

/** The image and all images of the tree that it is built from, nearest first. */
export function ancestry(image: AdoptedImage, images: ReadonlyMap<string, AdoptedImage>): AdoptedImage[] {
  const line = new Set<AdoptedImage>();
  for (let at: AdoptedImage | undefined = image; at && !line.has(at); ) {
    line.add(at);
    const link: AdoptedImage["bases"][number] | undefined = at.bases.find(({ to }) => to.kind === "image");
    at = link?.to.kind === "image" ? images.get(link.to.id) : undefined;
  }
  return [...line];
}

/** Images by id. */
export function imagesById(images: readonly AdoptedImage[]): ReadonlyMap<string, AdoptedImage> {
  return new Map(images.map((image) => [image.id, image]));
}
