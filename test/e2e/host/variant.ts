import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { RegistryClient } from "../../../oci/client.ts";
import { tarOf } from "../../oci/tars.ts";

/** Copies an image of one platform to another registry. */
export async function copyImage(from: RegistryClient, to: RegistryClient, repository: string, digest: string) {
  const { document, bytes, descriptor } = await from.getManifest(repository, digest);
  assert.equal(document.kind, "manifest");
  const { config, layers } = document.manifest;
  for (const blob of [config, ...layers])
    await to.pushBytes(repository, await from.getBytes(repository, blob, blob.size), blob.mediaType);
  await to.putManifest(repository, digest, bytes, descriptor.mediaType);
}

/** A layer's files: texts, and links as `{ link: "target" }`. */
export type Files = Readonly<Record<string, string | { readonly link: string }>>;

/**
 * Pushes an image that has another one's layers and another config, untagged.
 * @param change of the config, such as `{ Entrypoint: ["/usr/bin/perl", "-e"] }`.
 * @param files of a layer on top.
 * @returns its digest.
 */
export async function pushVariant(
  client: RegistryClient,
  repository: string,
  digest: string,
  change: Readonly<Record<string, unknown>>,
  files: Files = {},
): Promise<string> {
  const { document } = await client.getManifest(repository, digest);
  assert.equal(document.kind, "manifest");
  const { manifest } = document;
  const config = JSON.parse((await client.getBytes(repository, manifest.config)).toString());
  const layer = await tarOf(
    ...Object.entries(files).map(([name, file]) =>
      typeof file === "string"
        ? ([name, file] as const)
        : ([name, "", { type: "symlink", linkname: file.link }] as const),
    ),
  );
  const added = Object.keys(files).length === 0 ? [] : [gzipSync(layer)];
  const layers = await Promise.all(
    added.map((bytes) => client.pushBytes(repository, bytes, "application/vnd.oci.image.layer.v1.tar+gzip")),
  );
  const changed = {
    ...config,
    config: { ...config.config, ...change },
    rootfs: {
      ...config.rootfs,
      diff_ids: [
        ...config.rootfs.diff_ids,
        ...added.map(() => `sha256:${createHash("sha256").update(layer).digest("hex")}`),
      ],
    },
    // Of which there would be one too few.
    ...(added.length === 0 ? {} : { history: undefined }),
  };
  const pushed = await client.pushBytes(repository, Buffer.from(JSON.stringify(changed)), manifest.config.mediaType);
  const next = { ...manifest, config: pushed, layers: [...manifest.layers, ...layers] };
  return (await client.putManifest(repository, undefined, next)).digest;
}
