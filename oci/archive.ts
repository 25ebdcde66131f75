import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";
import { formatReference, parseReference } from "../core/reference.ts";
import type { RegistryClient } from "./client.ts";
import type { LayoutImage } from "./image-source.ts";
import type { PlatformImage } from "./platforms.ts";
import { type Descriptor, MEDIA } from "./schemas.ts";

/** One platform of an image in a registry. */
export interface ArchivedImage {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly image: Pick<PlatformImage, "descriptor" | "manifest">;
  /** Name under which an engine shall know it. @example "weft:latest" */
  readonly name: string;
}

/**
 * One platform of an image as the archive that `docker load` takes, streamed from its registry: an OCI image layout
 * that is a Docker archive as well, so that engines of any age read it. Each blob is held against its digest; one that
 * is damaged breaks the stream off before the archive's end.
 */
export function imageArchive({ client, repository, image, name }: ArchivedImage): Readable {
  return writeArchive(name, {
    ...image,
    bytes: async () => (await client.getManifest(repository, image.descriptor.digest)).bytes,
    blob: (blob) => client.getBlob(repository, blob),
  });
}

/** {@link imageArchive} for an image that a builder wrote into a folder. @example layoutArchive(image, "weft:latest") */
export function layoutArchive(image: LayoutImage, name: string): Readable {
  return writeArchive(name, { ...image, bytes: async () => image.bytes, blob: (blob) => image.blob(blob) });
}

interface Parts extends Pick<PlatformImage, "descriptor" | "manifest"> {
  readonly bytes: () => Promise<Buffer>;
  readonly blob: (blob: Descriptor) => AsyncIterable<Buffer>;
}

function writeArchive(name: string, { descriptor, manifest, bytes, blob }: Parts): Readable {
  const archive = pack();
  const path = (digest: string) => `blobs/${digest.replace(":", "/")}`;
  const layers = [...new Map(manifest.layers.map((layer) => [layer.digest, layer])).values()];
  const text = (file: string, value: unknown) => archive.entry({ name: file }, JSON.stringify(value));
  const write = async () => {
    const document = await bytes();
    text("oci-layout", { imageLayoutVersion: "1.0.0" });
    text("index.json", {
      schemaVersion: 2,
      mediaType: MEDIA.index,
      manifests: [
        {
          ...descriptor,
          annotations: {
            "io.containerd.image.name": formatReference(parseReference(name)),
            "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
          },
        },
      ],
    });
    text("manifest.json", [
      { Config: path(manifest.config.digest), RepoTags: [name], Layers: manifest.layers.map((l) => path(l.digest)) },
    ]);
    archive.entry({ name: path(descriptor.digest) }, document);
    for (const part of [manifest.config, ...layers])
      await pipeline(blob(part), archive.entry({ name: path(part.digest), size: part.size }));
    archive.finalize();
  };
  write().catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  return archive as unknown as Readable;
}
