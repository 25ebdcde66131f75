import { createHash } from "node:crypto";
import { type ComparedEntry, diffEntries, differsInOrder, diffJson } from "../core/image-diff.ts";
import { normalise } from "../core/packages.ts";
import type { ImageDifference, LayerDifference } from "../core/reproduction.ts";
import type { ImageSource } from "./image-source.ts";
import { decompress } from "./layers.ts";
import { type Descriptor, type ImageConfig, imageConfig, parseAs, parseJson } from "./schemas.ts";
import { type TarHeader, TarParser, type TarSink } from "./tar.ts";

/**
 * All that differs between two images of one platform: manifests, configs, and layers down to the file. Only layers that
 * differ are read.
 * @example await compareImages(await imageInLayout("first build", a), await imageInLayout("second build", b))
 * @returns undefined where both have one digest.
 */
export async function compareImages(a: ImageSource, b: ImageSource): Promise<ImageDifference | undefined> {
  if (a.digest === b.digest) return undefined;
  const [left, right] = [await readConfig(a), await readConfig(b)];
  const layers: LayerDifference[] = [];
  const count = Math.max(a.manifest.layers.length, b.manifest.layers.length);
  for (let i = 0; i < count; i++) {
    const found = await compareLayer([a, b], [left.config, right.config], i);
    if (found !== undefined) layers.push(found);
  }
  return {
    between: [a.label, b.label],
    digests: [a.digest, b.digest],
    manifest: diffJson(withoutParts(a.raw), withoutParts(b.raw)),
    config: diffJson(withoutLayers(left.raw), withoutLayers(right.raw)),
    layers,
  };
}

async function readConfig(image: ImageSource): Promise<{ readonly raw: unknown; readonly config: ImageConfig }> {
  const pieces: Buffer[] = [];
  for await (const piece of image.blob(image.manifest.config)) pieces.push(piece);
  const raw = parseJson(Buffer.concat(pieces));
  return { raw, config: parseAs(imageConfig, raw) };
}

/** Config and layers are compared by what they hold. */
function withoutParts(manifest: unknown): unknown {
  const { config: _, layers: __, ...rest } = manifest as Record<string, unknown>;
  return rest;
}

function withoutLayers(config: unknown): unknown {
  const { rootfs: _, ...rest } = config as Record<string, unknown>;
  return rest;
}

type Pair<T> = readonly [T, T];

async function compareLayer(
  [a, b]: Pair<ImageSource>,
  configs: Pair<ImageConfig>,
  index: number,
): Promise<LayerDifference | undefined> {
  const [x, y] = [a.manifest.layers[index], b.manifest.layers[index]];
  if (x?.digest === y?.digest) return undefined;
  const createdBy = makers(configs[0])[index] ?? makers(configs[1])[index];
  const found = { layer: index + 1, digests: [x?.digest, y?.digest] as const, ...(createdBy ? { createdBy } : {}) };
  if (x === undefined || y === undefined) return { ...found, kind: "missing", entries: [] };
  const [left, right] = configs.map((config) => config.rootfs.diff_ids?.[index]);
  if (left !== undefined && left === right) return { ...found, kind: "compression", entries: [] };
  const [first, second] = [await readEntries(a, x), await readEntries(b, y)];
  const entries = diffEntries(first, second);
  const order = differsInOrder(first, second) ? "order" : "archive";
  return { ...found, kind: entries.length > 0 ? "entries" : order, entries };
}

/** The step behind each layer. */
function makers({ history }: ImageConfig): string[] {
  return (history ?? []).filter((h) => h.empty_layer !== true).map((h) => h.created_by ?? "");
}

async function readEntries(image: ImageSource, layer: Descriptor): Promise<ComparedEntry[]> {
  const entries: ComparedEntry[] = [];
  const parser = new TarParser((header) => {
    const index = entries.push(entryOf(header)) - 1;
    return header.kind === "file" ? hashOf((sha256) => (entries[index] = { ...entryOf(header), sha256 })) : undefined;
  });
  for await (const piece of decompress(image.blob(layer))) parser.write(piece);
  parser.end();
  return entries;
}

function entryOf({ path, link, kind, mode, uid, gid, mtime, size, attributes }: TarHeader): ComparedEntry {
  const plain = { path: normalise(path), kind, mode, uid, gid, mtime, size };
  const more = Object.keys(attributes).length === 0 ? {} : { attributes };
  return link === "" ? { ...plain, ...more } : { ...plain, ...more, link };
}

function hashOf(done: (sha256: string) => void): TarSink {
  const hash = createHash("sha256");
  return { data: (piece) => void hash.update(piece), end: () => done(hash.digest("hex")) };
}
