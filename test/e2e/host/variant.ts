import assert from "node:assert/strict";
import type { RegistryClient } from "../../../oci/client.ts";

/** Copies an image of one platform to another registry. */
export async function copyImage(from: RegistryClient, to: RegistryClient, repository: string, digest: string) {
  const { document, bytes, descriptor } = await from.getManifest(repository, digest);
  assert.equal(document.kind, "manifest");
  const { config, layers } = document.manifest;
  for (const blob of [config, ...layers])
    await to.pushBytes(repository, await from.getBytes(repository, blob, blob.size), blob.mediaType);
  await to.putManifest(repository, digest, bytes, descriptor.mediaType);
}

/**
 * Pushes an image that has another one's layers and another config, untagged.
 * @param change of the config, such as `{ Entrypoint: ["/usr/bin/perl", "-e"] }`.
 * @returns its digest.
 */
export async function pushVariant(
  client: RegistryClient,
  repository: string,
  digest: string,
  change: Readonly<Record<string, unknown>>,
): Promise<string> {
  const { document } = await client.getManifest(repository, digest);
  assert.equal(document.kind, "manifest");
  const { manifest } = document;
  const config = JSON.parse((await client.getBytes(repository, manifest.config)).toString());
  const changed = Buffer.from(JSON.stringify({ ...config, config: { ...config.config, ...change } }));
  const pushed = await client.pushBytes(repository, changed, manifest.config.mediaType);
  return (await client.putManifest(repository, undefined, { ...manifest, config: pushed })).digest;
}
