import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { debianArch, type Platform } from "../../../core/platform.ts";
import type { RegistryClient } from "../../../oci/client.ts";
import { digestOf } from "../../../oci/digest.ts";
import { MEDIA } from "../../../oci/schemas.ts";

/** An image of one layer, made without a builder. */
export interface FlatImage {
  readonly repository: string;
  readonly platform: Platform;
  /** Path in the image to bytes: programs. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Entrypoint, Env, User … as an image's config has them. */
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * Sees to it that a registry has an image of these files.
 * @returns its name by digest, without the registry. @example "keelson/lab-pause@sha256:…"
 */
export async function pushFlatImage(client: RegistryClient, image: FlatImage): Promise<string> {
  const { repository, platform, files, config } = image;
  const tar = pack();
  const mtime = new Date(0);
  tar.entry({ name: "tmp/", type: "directory", mode: 0o1777, mtime });
  for (const [name, bytes] of Object.entries(files)) tar.entry({ name, mode: 0o755, mtime }, Buffer.from(bytes));
  tar.finalize();
  const layer = await buffer(tar);
  const about = { architecture: debianArch(platform), os: "linux", config };
  const rootfs = { type: "layers", diff_ids: [digestOf(layer)] };
  const manifest = {
    schemaVersion: 2 as const,
    mediaType: MEDIA.manifest,
    config: await client.pushBytes(repository, Buffer.from(JSON.stringify({ ...about, rootfs })), MEDIA.config),
    layers: [await client.pushBytes(repository, layer, "application/vnd.oci.image.layer.v1.tar")],
  };
  const { digest } = await client.putManifest(repository, undefined, manifest);
  return `${repository}@${digest}`;
}
