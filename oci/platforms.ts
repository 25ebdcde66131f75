import type { FetchedManifest, RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import type { Descriptor, ImageConfig, ImageIndex, ImageManifest } from "./schemas.ts";

/** Annotation of a platform in an index of keelson's: bytes that its layers' archives hold, so that nobody needs to fetch and count. */
export const UNPACKED = "io.keelson.image.unpacked";

/** One platform's manifest of an image. */
export interface PlatformImage {
  /** @example "linux/amd64", "linux/arm/v7" */
  readonly platform: string;
  readonly descriptor: FetchedManifest["descriptor"];
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** Of the index, then of the manifest, which wins. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** An index's entries that are images; attestations and other artifacts are none. */
export function imageEntries(index: ImageIndex): (Descriptor & { platform: NonNullable<Descriptor["platform"]> })[] {
  return index.manifests.flatMap((entry) =>
    entry.platform && entry.platform.os !== "unknown" && !entry.annotations?.["vnd.docker.reference.type"]
      ? [{ ...entry, platform: entry.platform }]
      : [],
  );
}

/** A platform as OCI writes it. arm64's only variant in use, v8, is left out, as everywhere. */
export function platformName(platform: {
  os: string;
  architecture: string;
  variant?: string | null | undefined;
}): string {
  const { os, architecture, variant } = platform;
  const plain = !variant || (architecture === "arm64" && variant === "v8");
  return plain ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/**
 * All platforms of an image, sorted by name.
 * @param reference tag, or digest of an index or of one platform's manifest
 * @throws RegistryError
 */
export async function readPlatforms(
  client: RegistryClient,
  repository: string,
  reference: string,
): Promise<PlatformImage[]> {
  const found = await client.getManifest(repository, reference);
  if (found.document.kind === "manifest") return [await readPlatform(client, repository, found, {})];
  const entries = imageEntries(found.document.index);
  const manifests = await Promise.all(entries.map((entry) => client.getManifest(repository, entry.digest)));
  const above = found.document.index.annotations ?? {};
  const images = await Promise.all(manifests.map((manifest) => readPlatform(client, repository, manifest, above)));
  return images.sort((a, b) => (a.platform < b.platform ? -1 : 1));
}

async function readPlatform(
  client: RegistryClient,
  repository: string,
  found: FetchedManifest,
  above: Readonly<Record<string, string>>,
): Promise<PlatformImage> {
  const { descriptor, document } = found;
  const where = `${client.host}/${repository}@${descriptor.digest}`;
  if (document.kind !== "manifest") {
    throw new RegistryError(`${where} is an index inside of an index`, "push an index of images");
  }
  if (!/config\.v1\+json$|container\.image\.v1\+json$/.test(document.manifest.config.mediaType)) {
    throw new RegistryError(`${where} is no image but ${document.manifest.config.mediaType}`, "name an image");
  }
  const config = await client.getConfig(repository, document.manifest.config);
  const { manifest } = document;
  return {
    platform: platformName(config),
    descriptor,
    manifest,
    config,
    annotations: { ...above, ...manifest.annotations },
  };
}
