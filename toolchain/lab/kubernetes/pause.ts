import { readFile } from "node:fs/promises";
import type { Platform } from "../../../core/platform.ts";
import type { RegistryClient } from "../../../oci/client.ts";
import { ensureBusybox } from "../../busybox.ts";
import { pushFlatImage } from "./flat-image.ts";

/** Seconds: as long as a number of 31 bits has it, 68 years. */
const FOREVER = "2147483647";

/**
 * Sees to it that the registry has the image of the process that holds a pod's namespaces: a busybox that sleeps.
 * @returns its name by digest, without the registry. @example "keelson/lab-pause@sha256:…"
 */
export async function ensurePause(client: RegistryClient, platform: Platform): Promise<string> {
  return pushFlatImage(client, {
    repository: "keelson/lab-pause",
    platform,
    files: { busybox: await readFile(await ensureBusybox(platform)) },
    config: { Entrypoint: ["/busybox", "sleep", FOREVER], User: "65535:65535" },
  });
}
