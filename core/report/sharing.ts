import type { ImageAnalysis } from "../analysis.ts";

/** One image of one platform among others, by what it inherits. Sizes in bytes, compressed: what is pulled. */
export interface Shared {
  readonly analysis: ImageAnalysis;
  /** Index of the image that it is built on: the one whose layers are the longest beginning of its own. */
  readonly parent?: number;
  /** Of the parent's layers. */
  readonly inherited: number;
  /** Of the layers that it adds. */
  readonly own: number;
}

/** What a machine pulls that runs several images of one platform. */
export interface Pull {
  readonly platform: string;
  readonly images: number;
  /** Bytes of all images' layers, each layer once. */
  readonly distinct: number;
  /** Bytes if nothing were shared. */
  readonly separate: number;
}

/**
 * Works out the lineage from the layers alone: an image that begins with all of another's layers is built on it.
 * @example shareLayers([debian, worker]).map((s) => s.parent) // [undefined, 0]
 */
export function shareLayers(analyses: readonly ImageAnalysis[]): Shared[] {
  return analyses.map((analysis) => {
    const parent = parentOf(analysis, analyses);
    const below = parent === undefined ? 0 : (analyses[parent]?.layers.length ?? 0);
    const inherited = bytesOf(analysis.layers.slice(0, below));
    const shared = { analysis, inherited, own: analysis.compressed - inherited };
    return parent === undefined ? shared : { ...shared, parent };
  });
}

/** What a machine of each platform pulls for all of the images. */
export function pulls(analyses: readonly ImageAnalysis[]): Pull[] {
  const platforms = [...Map.groupBy(analyses, (a) => a.platform)].sort(([a], [b]) => (a < b ? -1 : 1));
  return platforms.map(([platform, images]) => {
    const layers = new Map(images.flatMap((image) => image.layers.map((layer) => [layer.digest, layer])));
    return {
      platform,
      images: images.length,
      distinct: bytesOf([...layers.values()]),
      separate: images.reduce((sum, image) => sum + image.compressed, 0),
    };
  });
}

function parentOf(child: ImageAnalysis, all: readonly ImageAnalysis[]): number | undefined {
  let best: number | undefined;
  for (const [index, candidate] of all.entries()) {
    const shorter = candidate.layers.length < child.layers.length && candidate.layers.length > 0;
    if (!shorter || candidate.platform !== child.platform) continue;
    if (!candidate.layers.every((layer, i) => layer.digest === child.layers[i]?.digest)) continue;
    if (best === undefined || candidate.layers.length > (all[best]?.layers.length ?? 0)) best = index;
  }
  return best;
}

const bytesOf = (layers: readonly { readonly compressed: number }[]): number =>
  layers.reduce((sum, l) => sum + l.compressed, 0);
