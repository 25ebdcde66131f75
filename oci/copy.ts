import { Readable } from "node:stream";
import type { FetchedManifest, RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import type { Descriptor } from "./schemas.ts";

/** A repository in a registry. */
export interface Place {
  readonly client: RegistryClient;
  readonly repository: string;
}

export interface CopyRequest {
  readonly from: Place;
  readonly to: Place;
  /** Of an index or a manifest; a tag is resolved once, at the start. */
  readonly reference: string;
  /** Tags that it gets there, once everything is there. Default: none. */
  readonly tags?: readonly string[];
  readonly onProgress?: (progress: CopyProgress) => void;
}

/** How far a copy is. Sizes in bytes. */
export interface CopyProgress {
  readonly blobs: number;
  readonly done: number;
  /** Bytes that went over the wire; what was there or could be mounted moves none. */
  readonly sent: number;
}

export interface CopyResult extends CopyProgress {
  readonly digest: string;
  /** Manifests and indexes, with everything that refers to them. */
  readonly manifests: number;
}

/** Manifests that one image may consist of, with its platforms and referrers. */
const MAX_MANIFESTS = 1000;
/** Blobs on their way at once. */
const PARALLEL = 4;

/**
 * Copies an image with all platforms and everything that refers to it (signatures, SBOMs, provenance), byte for byte: the
 * digest stays. Nothing is visible under a tag before all of it is there; a copy that broke off goes on where it was.
 * @example await copyImage({ from: { client: dev, repository: "worker" }, to: { client: prod, repository: "acme/worker" }, reference: digest, tags: ["1.2.0"] })
 * @throws RegistryError
 */
export async function copyImage(request: CopyRequest): Promise<CopyResult> {
  const { from, to, reference, tags = [], onProgress } = request;
  const root = await from.client.getManifest(from.repository, reference);
  const manifests = await collect(from, root);
  const blobs = [...new Map(manifests.flatMap(blobsOf).map((blob) => [blob.digest, blob])).values()];
  const progress = { blobs: blobs.length, done: 0, sent: 0 };
  await inParallel(blobs, PARALLEL, async (blob) => {
    progress.sent += await copyBlob(from, to, blob);
    progress.done++;
    onProgress?.({ ...progress });
  });
  // Children and referrers stand before what leads to them.
  for (const manifest of manifests) await put(to, manifest, undefined);
  for (const tag of tags) await put(to, root, tag);
  return { ...progress, digest: root.descriptor.digest, manifests: manifests.length };
}

/** The root and all below and beside it, the root last. */
async function collect(from: Place, root: FetchedManifest): Promise<FetchedManifest[]> {
  const found = new Map<string, FetchedManifest>();
  const visit = async (manifest: FetchedManifest): Promise<void> => {
    const { digest } = manifest.descriptor;
    if (found.has(digest)) return;
    if (found.size >= MAX_MANIFESTS) {
      throw new RegistryError(
        `${from.client.host}/${from.repository}@${root.descriptor.digest} consists of more than ${MAX_MANIFESTS} manifests`,
        "check what it is: no image has as many",
      );
    }
    found.set(digest, manifest);
    const below = manifest.document.kind === "index" ? manifest.document.index.manifests : [];
    const beside = await from.client.referrers(from.repository, digest);
    for (const { digest: next } of [...below, ...beside]) {
      if (!found.has(next)) await visit(await from.client.getManifest(from.repository, next));
    }
    // Behind all that it led to.
    found.delete(digest);
    found.set(digest, manifest);
  };
  await visit(root);
  return [...found.values()];
}

function blobsOf({ document }: FetchedManifest): Descriptor[] {
  if (document.kind === "index") return [];
  const { config, layers } = document.manifest;
  // Layers that their owner does not let others distribute stay where they are.
  return [config, ...layers].filter((blob) => !/nondistributable|\.foreign\./.test(blob.mediaType));
}

/** Bytes that were sent. */
async function copyBlob(from: Place, to: Place, blob: Descriptor): Promise<number> {
  if (await to.client.hasBlob(to.repository, blob.digest)) return 0;
  const same = from.client.host === to.client.host;
  if (same && (await to.client.mountBlob(to.repository, blob.digest, from.repository))) return 0;
  const open = (offset: number) =>
    Readable.from(skip(from.client.getBlob(from.repository, blob), offset), { objectMode: false });
  await to.client.pushBlob(to.repository, { digest: blob.digest, size: blob.size, open });
  return blob.size;
}

async function* skip(source: Readable, count: number): AsyncGenerator<Buffer> {
  let left = count;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    if (left < chunk.length) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

async function put({ client, repository }: Place, manifest: FetchedManifest, tag: string | undefined): Promise<void> {
  const { document, descriptor, bytes } = manifest;
  const there = await client.headManifest(repository, tag ?? descriptor.digest);
  const about = document.kind === "index" ? document.index.subject : document.manifest.subject;
  // What is about another manifest is written again: the list that leads to it may lack it.
  if (there?.digest === descriptor.digest && !about) return;
  await client.putManifest(repository, tag ?? descriptor.digest, bytes, descriptor.mediaType);
}

async function inParallel<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const run = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, run));
}
