import type { ImageAnalysis } from "../analysis.ts";
import { type Pull, pulls, type Shared, shareLayers } from "./sharing.ts";

/** An image as it was at some build, for how its size went. Bytes. */
export interface SizePoint {
  /** What people know it by: a tag, a commit, a date. */
  readonly label: string;
  readonly platform: string;
  readonly compressed: number;
  readonly unpacked: number;
}

/** An image on all its platforms. */
export interface ImageInput {
  readonly name: string;
  readonly platforms: readonly ImageAnalysis[];
  /** Earlier builds, oldest first. */
  readonly history?: readonly SizePoint[];
}

/** Where the bytes of a set of images are, and what they share. Plain JSON. */
export interface ImagesReport {
  readonly schema: 1;
  readonly pulls: readonly Pull[];
  readonly images: readonly ReportedImage[];
}

export interface ReportedImage {
  readonly name: string;
  readonly platforms: readonly ReportedPlatform[];
  readonly history: readonly SizePoint[];
}

/** One platform of an image. Sizes in bytes. */
export interface ReportedPlatform {
  readonly analysis: ImageAnalysis;
  /** Name of the image that it is built on, if that is in the report. */
  readonly parent?: string;
  /** Compressed bytes of the parent's layers, and of the ones it adds. */
  readonly inherited: number;
  readonly own: number;
}

/** Puts images side by side, in the order given. */
export function makeImagesReport(images: readonly ImageInput[]): ImagesReport {
  const all = images.flatMap((image) => image.platforms.map((analysis) => ({ name: image.name, analysis })));
  const shared = shareLayers(all.map((entry) => entry.analysis));
  const reported = (image: ImageInput): ReportedPlatform[] =>
    image.platforms.flatMap((analysis) => {
      const found = shared.find((s) => s.analysis === analysis);
      if (!found) return [];
      const parent = found.parent === undefined ? undefined : all[found.parent]?.name;
      return [{ analysis, inherited: found.inherited, own: found.own, ...(parent === undefined ? {} : { parent }) }];
    });
  return {
    schema: 1,
    pulls: pulls(all.map((entry) => entry.analysis)),
    images: images.map((image) => ({ name: image.name, platforms: reported(image), history: image.history ?? [] })),
  };
}

/** The images of one platform with their places in the lineage, for its picture. */
export function lineageOf(
  report: ImagesReport,
  platform: string,
): { readonly shared: Shared[]; readonly names: ReadonlyMap<ImageAnalysis, string> } {
  const entries = report.images.flatMap(({ name, platforms }) =>
    platforms.filter((p) => p.analysis.platform === platform).map((p) => [p.analysis, name] as const),
  );
  return { shared: shareLayers(entries.map(([analysis]) => analysis)), names: new Map(entries) };
}
