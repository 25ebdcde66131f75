import type { LayerScan } from "./layer.ts";
import { accountPackages, normalise, type PackageFact, type PackageSize } from "./packages.ts";
import { type Content, type FinalFile, RootFs } from "./rootfs.ts";

/** A layer as the manifest names it, what stands in it, and how it was made. Sizes in bytes. */
export interface ReadLayer {
  readonly digest: string;
  readonly mediaType: string;
  readonly compressed: number;
  readonly createdBy?: string;
  readonly scan: LayerScan;
}

/** One platform of an image, read whole. */
export interface ReadImage {
  /** As people name it. @example "localhost:5443/worker-minimal:1.0.0" */
  readonly reference: string;
  readonly platform: string;
  /** Of the platform's manifest. */
  readonly digest: string;
  readonly layers: readonly ReadLayer[];
  /** Every step of the build, those without a layer included, in order. */
  readonly history: readonly { readonly createdBy: string; readonly empty: boolean }[];
}

export interface LayerSize {
  readonly digest: string;
  readonly compressed: number;
  readonly unpacked: number;
  readonly content: number;
  readonly entries: number;
  /** Bytes of its files that later entries delete or overwrite. */
  readonly wasted: number;
  readonly createdBy?: string;
}

/** A directory or file with all that is in it, largest child first; small ones are summed up as `rest`. */
export interface SizeNode {
  readonly name: string;
  readonly bytes: number;
  readonly files: number;
  readonly children?: readonly SizeNode[];
}

/** Where one platform's bytes are. Plain JSON; sizes in bytes. */
export interface ImageAnalysis {
  readonly reference: string;
  readonly platform: string;
  readonly digest: string;
  /** What a registry keeps and a machine pulls: the layers as they are transferred. */
  readonly compressed: number;
  /** The layers' archives, uncompressed: files, names, headers, padding. */
  readonly unpacked: number;
  /** The files' contents alone, over all layers. */
  readonly content: number;
  /** The files that a container sees. `content` = `final` + `waste`. */
  readonly final: number;
  readonly layers: readonly LayerSize[];
  readonly history: ReadImage["history"];
  readonly tree: SizeNode;
  readonly packages: readonly PackageSize[];
  /** Files of the final file system that no package claims and no named path holds, largest first. */
  readonly unexplained: { readonly bytes: number; readonly files: number; readonly largest: readonly FileSize[] };
  /** Bytes that every machine pulls and no container sees, largest first. */
  readonly waste: { readonly bytes: number; readonly files: number; readonly largest: readonly Content[] };
}

export interface FileSize {
  readonly path: string;
  readonly bytes: number;
}

/** How many files the lists of largest ones hold. */
const LARGEST = 20;
/** Nodes below this part of the whole are summed up: nobody sees them in a picture. */
const SMALLEST = 1 / 2000;

/** The final file system of an image. @example rootFsOf(image).files() */
export function rootFsOf(image: ReadImage): RootFs {
  const fs = new RootFs();
  for (const layer of image.layers) fs.apply(layer.scan.entries);
  return fs;
}

/**
 * Says where an image's bytes are: by layer, by directory, by package, and which are wasted.
 * @param named paths that the image's definition names, such as a downloaded binary; each becomes a row of its own
 */
export function analyzeImage(image: ReadImage, named: readonly string[] = []): ImageAnalysis {
  const fs = rootFsOf(image);
  const files = fs.files();
  const waste = fs.waste();
  const account = accountPackages(files, finalFacts(image, files), (path) => fs.resolve(path), named);
  return {
    reference: image.reference,
    platform: image.platform,
    digest: image.digest,
    compressed: sum(image.layers, (l) => l.compressed),
    unpacked: sum(image.layers, (l) => l.scan.unpacked),
    content: sum(image.layers, (l) => l.scan.content),
    final: sum(files, (f) => f.bytes),
    layers: image.layers.map((layer, index) => layerSize(layer, index, waste)),
    history: image.history,
    tree: sizeTree(files),
    packages: account.packages,
    unexplained: {
      bytes: sum(account.unexplained, (f) => f.bytes),
      files: account.unexplained.length,
      largest: account.unexplained.slice(0, LARGEST).map(({ path, bytes }) => ({ path, bytes })),
    },
    waste: { bytes: sum(waste, (w) => w.bytes), files: waste.length, largest: waste.slice(0, LARGEST) },
  };
}

/** What an image unpacks to without the named files and directories, in bytes. */
export function restOf(image: ReadImage, files: readonly FinalFile[], without: readonly string[]): number {
  const roots = without.map(normalise);
  const inside = files.filter((f) => roots.some((root) => f.path === root || f.path.startsWith(`${root}/`)));
  return sum(image.layers, (l) => l.scan.unpacked) - sum(inside, (f) => f.bytes);
}

/** The facts of files that are still there, of the layer that brought the file last. */
export function finalFacts(image: ReadImage, files: readonly FinalFile[]): Map<string, PackageFact> {
  const layerOf = new Map(files.map((f) => [f.path, f.layer]));
  const facts = new Map<string, PackageFact>();
  image.layers.forEach((layer, index) => {
    for (const [path, fact] of layer.scan.facts) if (layerOf.get(path) === index) facts.set(path, fact);
  });
  return facts;
}

function layerSize(
  { digest, compressed, createdBy, scan }: ReadLayer,
  index: number,
  waste: readonly Content[],
): LayerSize {
  const wasted = sum(
    waste.filter((w) => w.layer === index),
    (w) => w.bytes,
  );
  const { unpacked, content, entries } = scan;
  const size = { digest, compressed, unpacked, content, entries: entries.length, wasted };
  return createdBy === undefined ? size : { ...size, createdBy };
}

interface Growing {
  name: string;
  bytes: number;
  files: number;
  children: Map<string, Growing>;
}

/** The files as a tree of sizes, as du counts them, with what is too small to see summed up. */
export function sizeTree(files: readonly FinalFile[]): SizeNode {
  const root: Growing = { name: "/", bytes: 0, files: 0, children: new Map() };
  for (const { path, bytes } of files) {
    let node = root;
    node.bytes += bytes;
    node.files++;
    for (const name of path.split("/")) {
      let child = node.children.get(name);
      if (!child) {
        child = { name, bytes: 0, files: 0, children: new Map() };
        node.children.set(name, child);
      }
      child.bytes += bytes;
      child.files++;
      node = child;
    }
  }
  return settle(root, root.bytes * SMALLEST);
}

function settle(node: Growing, smallest: number): SizeNode {
  const { name, bytes, files } = node;
  if (node.children.size === 0) return { name, bytes, files };
  const ordered = [...node.children.values()].sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  const large = ordered.filter((child) => child.bytes >= smallest && child.bytes > 0);
  const small = ordered.filter((child) => !large.includes(child));
  const children = large.map((child) => settle(child, smallest));
  const rest = { name: "…", bytes: sum(small, (c) => c.bytes), files: sum(small, (c) => c.files) };
  return { name, bytes, files, children: small.length > 0 && large.length > 0 ? [...children, rest] : children };
}

function sum<T>(values: Iterable<T>, of: (value: T) => number): number {
  let total = 0;
  for (const value of values) total += of(value);
  return total;
}
