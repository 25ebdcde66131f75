import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RegistryClient } from "./client.ts";
import type { BlobRef } from "./download.ts";
import { type Descriptor, type ImageManifest, imageIndex, parseAs, parseDocument, parseJson } from "./schemas.ts";

/** One platform's image, wherever its parts lie. */
export interface ImageSource {
  /** Where it comes from, for people. @example "first build" */
  readonly label: string;
  /** Of the manifest. */
  readonly digest: string;
  readonly manifest: ImageManifest;
  /** The manifest as it stands, with what the schema doesn't know. */
  readonly raw: unknown;
  blob(ref: BlobRef): AsyncIterable<Buffer>;
}

/** {@link ImageSource} of a folder, with what describes its manifest, and the manifest's bytes. */
export interface LayoutImage extends ImageSource {
  readonly descriptor: Pick<Descriptor, "mediaType" | "digest" | "size">;
  readonly bytes: Buffer;
}

/**
 * An image that a builder wrote as an OCI image layout of one platform.
 * @throws RangeError where the folder holds something else
 */
export async function imageInLayout(label: string, folder: string): Promise<LayoutImage> {
  const path = ({ digest }: { readonly digest: string }) => join(folder, "blobs", ...digest.split(":"));
  const index = parseAs(imageIndex, parseJson(await readFile(join(folder, "index.json"))));
  const [entry] = index.manifests;
  if (entry === undefined || index.manifests.length > 1)
    throw new RangeError(`expected one image in ${folder}, found ${index.manifests.length}`);
  const bytes = await readFile(path(entry));
  const { mediaType, digest, size } = entry;
  return {
    ...read(label, digest, bytes, mediaType),
    ...{ descriptor: { mediaType, digest, size }, bytes },
    blob: (ref) => createReadStream(path(ref), { highWaterMark: 1024 * 1024 }),
  };
}

/** An image in a registry. `reference`: tag or digest of one platform's manifest. @throws RegistryError */
export async function imageInRegistry(
  label: string,
  client: RegistryClient,
  repository: string,
  reference: string,
): Promise<ImageSource> {
  const { bytes, descriptor } = await client.getManifest(repository, reference);
  return {
    ...read(label, descriptor.digest, bytes, descriptor.mediaType),
    blob: (ref) => client.getBlob(repository, ref),
  };
}

function read(label: string, digest: string, bytes: Buffer, mediaType: string): Omit<ImageSource, "blob"> {
  const document = parseDocument(bytes, mediaType);
  if (document.kind !== "manifest") throw new RangeError(`${label}: ${digest} is an index, not one platform's image`);
  return { label, digest, manifest: document.manifest, raw: parseJson(bytes) };
}
