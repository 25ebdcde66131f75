import { type Platform, platformSlug } from "../../../core/platform.ts";
import { hashTag } from "../../../core/tags.ts";
import { digestOf } from "../../../oci/digest.ts";
import { imageEntries, platformName, UNPACKED } from "../../../oci/platforms.ts";
import { type Descriptor, type ImageIndex, MEDIA } from "../../../oci/schemas.ts";

export { hashTag, UNPACKED };

/** One platform of an image that lies in the registry, checked. Sizes in bytes. */
export interface PlatformManifest {
  readonly platform: Platform;
  readonly digest: string;
  /** Of the manifest itself. */
  readonly size: number;
  /** Sum of the manifest's layers. */
  readonly compressed: number;
  readonly unpacked: number;
}

/** The tag that keeps a checked platform while another one fails. @example "h-0ab1…-linux-arm64" */
export function platformTag(contentHash: string, platform: Platform): string {
  return `${hashTag(contentHash)}-${platformSlug(platform)}`;
}

/**
 * The index over an image's platforms, byte for byte the same for the same platforms and annotations: nothing in it
 * knows a time, a commit or an order of building.
 */
export function assembleIndex(
  platforms: readonly PlatformManifest[],
  annotations: Readonly<Record<string, string>>,
): { readonly index: ImageIndex; readonly bytes: Buffer; readonly digest: string } {
  const manifests = platforms.toSorted((a, b) => (a.platform < b.platform ? -1 : 1)).map(describe);
  const sorted = Object.entries(annotations).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const index: ImageIndex = {
    schemaVersion: 2,
    mediaType: MEDIA.index,
    manifests,
    ...(sorted.length === 0 ? {} : { annotations: Object.fromEntries(sorted) }),
  };
  const bytes = Buffer.from(JSON.stringify(index));
  return { index, bytes, digest: digestOf(bytes) };
}

function describe(manifest: PlatformManifest): Descriptor {
  const [os = "", architecture = ""] = manifest.platform.split("/");
  return {
    mediaType: MEDIA.manifest,
    digest: manifest.digest,
    size: manifest.size,
    annotations: { [UNPACKED]: String(manifest.unpacked) },
    platform: { architecture, os },
  };
}

/** The platforms of an index, by name, each with its descriptor; attestations are none. */
export function platformsOf(index: ImageIndex): ReadonlyMap<string, Descriptor> {
  return new Map(imageEntries(index).map((entry) => [platformName(entry.platform), entry]));
}

/** Bytes as the annotation has them; undefined where it is missing or odd. */
export function unpackedOf(descriptor: Descriptor): number | undefined {
  const text = descriptor.annotations?.[UNPACKED];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
