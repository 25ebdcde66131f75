import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { debianArch, type Platform } from "../../../core/platform.ts";
import type { RegistryClient } from "../../../oci/client.ts";
import { digestOf } from "../../../oci/digest.ts";
import { MEDIA } from "../../../oci/schemas.ts";
import { ensureBusybox } from "../../busybox.ts";

const REPOSITORY = "keelson/lab-pause";
/** Seconds: as long as a number of 31 bits has it, 68 years. */
const FOREVER = "2147483647";

/**
 * Sees to it that the registry has the image of the process that holds a pod's namespaces: a busybox that sleeps.
 * @returns its name by digest, without the registry. @example "keelson/lab-pause@sha256:…"
 */
export async function ensurePause(client: RegistryClient, platform: Platform): Promise<string> {
  const tar = pack();
  tar.entry({ name: "busybox", mode: 0o755, mtime: new Date(0) }, await readFile(await ensureBusybox(platform)));
  tar.finalize();
  const layer = await buffer(tar);
  const config = Buffer.from(
    JSON.stringify({
      architecture: debianArch(platform),
      os: "linux",
      config: { Entrypoint: ["/busybox", "sleep", FOREVER], User: "65535:65535" },
      rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
    }),
  );
  const manifest = {
    schemaVersion: 2 as const,
    mediaType: MEDIA.manifest,
    config: await client.pushBytes(REPOSITORY, config, MEDIA.config),
    layers: [await client.pushBytes(REPOSITORY, layer, "application/vnd.oci.image.layer.v1.tar")],
  };
  const { digest } = await client.putManifest(REPOSITORY, undefined, manifest);
  return `${REPOSITORY}@${digest}`;
}
