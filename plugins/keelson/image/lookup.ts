import { PLATFORMS, type Platform } from "../../../core/platform.ts";
import type { RegistryClient } from "../../../oci/client.ts";
import type { Descriptor } from "../../../oci/schemas.ts";
import { assembleIndex, hashTag, type PlatformManifest, platformsOf, platformTag, unpackedOf } from "./document.ts";

/** What the registry has of an image. */
export interface Existing {
  /** Digest of the index under the hash tag; undefined where there is none. */
  readonly digest: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  /** Platforms that are there: of the index, wanted or not, and wanted ones that wait for others. */
  readonly platforms: readonly PlatformManifest[];
  /** True when the index has all that are wanted. */
  readonly whole: boolean;
}

export interface Wanted {
  readonly repository: string;
  readonly contentHash: string;
  readonly builds: readonly { readonly platform: Platform }[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** Counts the bytes that a platform's layers hold, where its index does not say. */
export type Measure = (repository: string, manifestDigest: string) => Promise<number>;

/**
 * Looks an image up by its content hash: the whole one, and the platforms of one that is not whole yet. Nothing but
 * manifests is fetched.
 */
export async function findExisting(client: RegistryClient, wanted: Wanted, measure: Measure): Promise<Existing> {
  const found = await client.findManifest(wanted.repository, hashTag(wanted.contentHash));
  const index = found?.document.kind === "index" ? found.document.index : undefined;
  const descriptors = index === undefined ? new Map<string, Descriptor>() : platformsOf(index);
  const relevant = PLATFORMS.filter((p) => descriptors.has(p) || wanted.builds.some((b) => b.platform === p));
  const looked = await Promise.all(
    relevant.map((platform) => findPlatform(client, wanted, platform, descriptors.get(platform), measure)),
  );
  const platforms = looked.filter((p) => p !== undefined);
  return {
    digest: index === undefined ? undefined : found?.descriptor.digest,
    annotations: index?.annotations ?? {},
    platforms,
    // An index may lead to manifests that are gone.
    whole: wanted.builds.every(({ platform }) =>
      platforms.some((p) => p.platform === platform && p.digest === descriptors.get(platform)?.digest),
    ),
  };
}

/** Of these platforms, the ones that are wanted. */
export function wantedOf(
  platforms: readonly PlatformManifest[],
  builds: readonly { readonly platform: Platform }[],
): readonly PlatformManifest[] {
  return platforms.filter((p) => builds.some(({ platform }) => platform === p.platform));
}

/** Manifests that passed smoke test and gates as they are asked now, by digest, each with its number of findings. */
export type Judged = ReadonlyMap<string, number>;

/** Of these platforms, the wanted ones that nobody has judged yet. */
export function unjudged(
  inputs: Pick<Wanted, "builds">,
  platforms: readonly PlatformManifest[],
  judged: Judged,
): readonly PlatformManifest[] {
  return wantedOf(platforms, inputs.builds).filter(({ digest }) => !judged.has(digest));
}

/** The wanted platforms that are not there yet. */
export function missingBuilds<T extends { readonly platform: Platform }>(
  existing: Existing,
  builds: readonly T[],
): readonly T[] {
  return builds.filter(({ platform }) => !existing.platforms.some((p) => p.platform === platform));
}

/**
 * The digest that an image will have when all its platforms are there: that of the index which is there, or of the one
 * that will be put in its place because platforms or annotations differ. Undefined while a platform is missing.
 */
export function finalDigest(existing: Existing, wanted: Wanted): string | undefined {
  if (missingBuilds(existing, wanted.builds).length > 0) return undefined;
  const kept = existing.whole && equalRecords(existing.annotations, wanted.annotations) ? existing.digest : undefined;
  return kept ?? assembleIndex(existing.platforms, wanted.annotations).digest;
}

async function findPlatform(
  client: RegistryClient,
  wanted: Wanted,
  platform: Platform,
  descriptor: Descriptor | undefined,
  measure: Measure,
): Promise<PlatformManifest | undefined> {
  const reference = descriptor?.digest ?? platformTag(wanted.contentHash, platform);
  const sizes = await readSizes(client, wanted.repository, reference, descriptor, measure);
  return sizes && { platform, ...sizes };
}

/** Digest and sizes of a platform's manifest; undefined where there is none. `descriptor`: its entry in an index. */
export async function readSizes(
  client: RegistryClient,
  repository: string,
  reference: string,
  descriptor: Descriptor | undefined,
  measure: Measure,
): Promise<Omit<PlatformManifest, "platform"> | undefined> {
  const found = await client.findManifest(repository, reference);
  if (found?.document.kind !== "manifest") return undefined;
  const { digest, size } = found.descriptor;
  return {
    digest,
    size,
    compressed: found.document.manifest.layers.reduce((sum, layer) => sum + layer.size, 0),
    unpacked: (descriptor && unpackedOf(descriptor)) ?? (await measure(repository, digest)),
  };
}

function equalRecords(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
