import type { FetchedManifest, RegistryClient } from "./client.ts";
import { MEDIA } from "./schemas.ts";

/** A document about an image. */
export interface Attachment {
  /** Media type of the document, and artifact type of what holds it. @example "application/vnd.cyclonedx+json" */
  readonly type: string;
  readonly text: string;
  /** Lists of referrers repeat them. Default: none. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Keeps a document beside an image, as an artifact that refers to it (OCI image specification 1.1); on registries without
 * a list of referrers it stands under the tag `sha256-<digest of the image>`. Equal documents are one artifact.
 * @param subject descriptor of an index or a manifest
 * @example await attach(client, "worker", manifest.descriptor, { type: CYCLONEDX, text: sbom })
 * @throws RegistryError
 */
export async function attach(
  client: RegistryClient,
  repository: string,
  { mediaType, digest, size }: FetchedManifest["descriptor"],
  { type, text, annotations }: Attachment,
): Promise<void> {
  const [config, layer] = [
    await client.pushBytes(repository, Buffer.from("{}"), MEDIA.empty),
    await client.pushBytes(repository, Buffer.from(text), type),
  ];
  await client.putManifest(repository, undefined, {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    artifactType: type,
    config,
    layers: [layer],
    subject: { mediaType, digest, size },
    ...(annotations && { annotations }),
  });
}
