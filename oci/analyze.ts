import { buffer } from "node:stream/consumers";
import type { ReadImage, ReadLayer } from "../core/analysis.ts";
import type { LayerScan } from "../core/layer.ts";
import type { ScanCache } from "./cache.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import type { LayoutImage } from "./image-source.ts";
import { scanLayer } from "./layers.ts";
import { type PlatformImage, platformName, readPlatforms } from "./platforms.ts";
import { type Descriptor, type ImageConfig, imageConfig, parseAs, parseJson } from "./schemas.ts";

/** An image to read. */
export interface ReadRequest {
  readonly client: RegistryClient;
  readonly repository: string;
  /** Tag, or digest of an index or a manifest. */
  readonly reference: string;
  /** Only these platforms. Default: all. */
  readonly platforms?: readonly string[];
  /** Keeps scans between runs. Default: none. */
  readonly cache?: ScanCache;
}

/** One platform of an image, read whole, with its config. */
export interface ReadPlatform {
  readonly image: ReadImage;
  readonly source: PlatformImage;
}

/**
 * Reads an image's platforms layer by layer, streaming; nothing is unpacked to disk.
 * @example
 * const [amd64] = await readImage({ client, repository: "worker-minimal", reference: "1.0.0" });
 * analyzeImage(amd64.image).packages
 * @throws RegistryError, for layers that are none too
 */
export async function readImage(request: ReadRequest): Promise<ReadPlatform[]> {
  const { client, repository, reference, platforms } = request;
  const found = await readPlatforms(client, repository, reference);
  const wanted = platforms ? found.filter((p) => platforms.includes(p.platform)) : found;
  const read: ReadPlatform[] = [];
  for (const source of wanted) read.push({ source, image: await readPlatform(inRegistry(request), source) });
  return read;
}

/**
 * {@link readImage} for an image that a builder wrote into a folder.
 * @example await readLayout(await imageInLayout("web", "/…/layout"))
 * @throws RegistryError, for layers that are none too
 */
export async function readLayout(image: LayoutImage, cache?: ScanCache): Promise<ReadPlatform> {
  const { manifest, descriptor, label } = image;
  const config = parseAs(imageConfig, parseJson(await buffer(image.blob(manifest.config))));
  const annotations = manifest.annotations ?? {};
  const source = { platform: platformName(config), descriptor, manifest, config, annotations };
  const place: Place = { reference: label, label, blob: (layer) => image.blob(layer) };
  return { source, image: await readPlatform(cache === undefined ? place : { ...place, cache }, source) };
}

/** Where layers come from. */
interface Place {
  /** Of the image, for reports. */
  readonly reference: string;
  /** Before a layer's digest, for messages. */
  readonly label: string;
  blob(layer: Descriptor): AsyncIterable<Buffer>;
  readonly cache?: ScanCache;
}

function inRegistry({ client, repository, reference, cache }: ReadRequest): Place {
  const label = `${client.host}/${repository}`;
  return {
    reference: `${label}${reference.includes(":") ? "@" : ":"}${reference}`,
    label,
    blob: (layer) => client.getBlob(repository, layer),
    ...(cache === undefined ? {} : { cache }),
  };
}

async function readPlatform(place: Place, source: PlatformImage): Promise<ReadImage> {
  const { config, manifest, descriptor, platform } = source;
  const history = (config.history ?? []).map((h) => ({ createdBy: h.created_by ?? "", empty: h.empty_layer === true }));
  const makers = history.filter((h) => !h.empty);
  const layers: ReadLayer[] = [];
  for (const [index, layer] of manifest.layers.entries()) {
    const scan = await readLayer(place, layer);
    checkDiffId(place, layer, config.rootfs, index, scan);
    // A history that does not match the layers explains none of them.
    const maker = makers.length === manifest.layers.length ? makers[index]?.createdBy : undefined;
    const { digest, mediaType, size } = layer;
    layers.push({ digest, mediaType, compressed: size, scan, ...(maker === undefined ? {} : { createdBy: maker }) });
  }
  return { reference: place.reference, platform, digest: descriptor.digest, layers, history };
}

async function readLayer(place: Place, layer: Descriptor): Promise<LayerScan> {
  const { cache } = place;
  const known = await cache?.read(layer.digest);
  if (known) return known;
  try {
    const scan = await scanLayer(place.blob(layer));
    await cache?.write(layer.digest, scan);
    return scan;
  } catch (error) {
    if (error instanceof RangeError) throw damaged(place, layer, error.message);
    throw error;
  }
}

function checkDiffId(
  place: Place,
  layer: Descriptor,
  rootfs: ImageConfig["rootfs"],
  index: number,
  scan: LayerScan,
): void {
  const expected = rootfs.diff_ids?.[index];
  if (expected !== undefined && expected !== scan.diffId) {
    throw damaged(place, layer, `its config expects ${expected} unpacked, found ${scan.diffId}`);
  }
}

function damaged({ label }: Place, layer: Descriptor, what: string): RegistryError {
  return new RegistryError(`the layer ${label}@${layer.digest} is no layer: ${what}`, "build and push the image anew");
}
