import type { ReadImage, ReadLayer } from "../core/analysis.ts";
import type { LayerScan } from "../core/layer.ts";
import type { ScanCache } from "./cache.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { scanLayer } from "./layers.ts";
import { type PlatformImage, readPlatforms } from "./platforms.ts";
import type { Descriptor, ImageConfig } from "./schemas.ts";

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
  for (const source of wanted) read.push({ source, image: await readPlatform(request, source) });
  return read;
}

async function readPlatform(request: ReadRequest, source: PlatformImage): Promise<ReadImage> {
  const { client, repository, reference } = request;
  const { config, manifest, descriptor, platform } = source;
  const history = (config.history ?? []).map((h) => ({ createdBy: h.created_by ?? "", empty: h.empty_layer === true }));
  const makers = history.filter((h) => !h.empty);
  const layers: ReadLayer[] = [];
  for (const [index, layer] of manifest.layers.entries()) {
    const scan = await readLayer(request, layer);
    checkDiffId(request, layer, config.rootfs, index, scan);
    // A history that does not match the layers explains none of them.
    const maker = makers.length === manifest.layers.length ? makers[index]?.createdBy : undefined;
    const { digest, mediaType, size } = layer;
    layers.push({ digest, mediaType, compressed: size, scan, ...(maker === undefined ? {} : { createdBy: maker }) });
  }
  const mark = reference.includes(":") ? "@" : ":";
  return {
    reference: `${client.host}/${repository}${mark}${reference}`,
    platform,
    digest: descriptor.digest,
    layers,
    history,
  };
}

async function readLayer({ client, repository, cache }: ReadRequest, layer: Descriptor): Promise<LayerScan> {
  const known = await cache?.read(layer.digest);
  if (known) return known;
  try {
    const scan = await scanLayer(client.getBlob(repository, layer));
    await cache?.write(layer.digest, scan);
    return scan;
  } catch (error) {
    if (error instanceof RangeError) throw damaged({ client, repository }, layer, error.message);
    throw error;
  }
}

function checkDiffId(
  request: ReadRequest,
  layer: Descriptor,
  rootfs: ImageConfig["rootfs"],
  index: number,
  scan: LayerScan,
): void {
  const expected = rootfs.diff_ids?.[index];
  if (expected !== undefined && expected !== scan.diffId) {
    throw damaged(request, layer, `its config expects ${expected} unpacked, found ${scan.diffId}`);
  }
}

function damaged(
  { client, repository }: Pick<ReadRequest, "client" | "repository">,
  layer: Descriptor,
  what: string,
): RegistryError {
  return new RegistryError(
    `the layer ${client.host}/${repository}@${layer.digest} is no layer: ${what}`,
    "build and push the image anew",
  );
}
