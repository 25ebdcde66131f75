import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { PLATFORMS } from "../../core/platform.ts";
import { writeFileAtomic } from "../files.ts";

const instanceSchema = z.object({
  /** @example "unix:///home/me/.cache/keelson/services/buildkit/default/buildkitd.sock" */
  address: z.string().startsWith("unix://"),
  /** What it builds, natively or emulated. */
  platforms: z.array(z.enum(PLATFORMS)),
  /** Of these, what the machine runs without QEMU. */
  native: z.array(z.enum(PLATFORMS)),
});

const servicesSchema = z.object({
  buildkit: instanceSchema,
  registry: z.object({
    /** @example "localhost:5443" */
    host: z.string().regex(/^localhost:\d+$/),
    /** PEM file of the CA that signed its certificate. */
    ca: z.string(),
    /** Folder for SSL_CERT_DIR, beside the system's: `/etc/ssl/certs:…`. */
    trust: z.string(),
  }),
  /** Further BuildKit daemons, by name. */
  nodes: z.record(z.string(), instanceSchema),
});

/** A BuildKit daemon that answers. */
export type BuildkitInstance = z.infer<typeof instanceSchema>;
/** The embedded services, as they were last seen running. */
export type ServicesState = z.infer<typeof servicesSchema>;

/** The last known state; undefined when nothing was started yet, or the file is damaged (the next start writes it anew). */
export async function readServicesState(services: string): Promise<ServicesState | undefined> {
  try {
    return servicesSchema.parse(JSON.parse(await readFile(stateFile(services), "utf8")));
  } catch {
    return undefined;
  }
}

export async function writeServicesState(services: string, state: ServicesState): Promise<void> {
  await writeFileAtomic(stateFile(services), `${JSON.stringify(state, undefined, 2)}\n`, 0o600);
}

function stateFile(services: string): string {
  return join(services, "services.json");
}
