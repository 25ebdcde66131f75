import { finished } from "node:stream/promises";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { type PlatformImage, readPlatforms } from "./platforms.ts";
import type { Descriptor } from "./schemas.ts";

/** One platform of an image as whoever pulls it gets it. */
export interface PublishedPlatform {
  readonly platform: string;
  readonly digest: string;
  /** Bytes of the layers as the registry holds them. */
  readonly compressed: number;
}

/**
 * Reads an image back as a pull would: each platform's manifest and config against their digests, and every layer looked
 * for.
 * @throws RegistryError that names what the registry lacks.
 */
export async function readPublished(
  client: RegistryClient,
  repository: string,
  digest: string,
): Promise<PublishedPlatform[]> {
  const platforms = await readPlatforms(client, repository, digest);
  for (const layer of layersOf(platforms).keys())
    if (!(await client.hasBlob(repository, layer)))
      throw new RegistryError(
        `${client.host}/${repository}@${digest} lacks its layer ${layer}`,
        "push it again, and ask the registry's operator why it took an image without its layers",
      );
  return platforms.map(({ platform, descriptor, manifest }) => ({
    platform,
    digest: descriptor.digest,
    compressed: manifest.layers.reduce((sum, layer) => sum + layer.size, 0),
  }));
}

/**
 * Pulls an image by the digest of each platform, as whoever installs a release will: {@link readPublished}, and every layer
 * read to its end and held against its digest and size; nothing is kept.
 * @throws RegistryError that names what is not there or not what its digest says.
 */
export async function pullPublished(
  client: RegistryClient,
  repository: string,
  digest: string,
): Promise<PublishedPlatform[]> {
  const published = await readPublished(client, repository, digest);
  const platforms = await Promise.all(published.map((one) => readPlatforms(client, repository, one.digest)));
  for (const layer of layersOf(platforms.flat()).values()) await finished(client.getBlob(repository, layer).resume());
  return published;
}

/** Each once, by digest: platforms share some. */
function layersOf(platforms: readonly PlatformImage[]): ReadonlyMap<string, Descriptor> {
  return new Map(platforms.flatMap(({ manifest }) => manifest.layers.map((layer) => [layer.digest, layer] as const)));
}
