import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { RegistryClient } from "../../../oci/client.ts";
import { openRegistry } from "../../../oci/open.ts";
import { readPlatforms } from "../../../oci/platforms.ts";
import { silent } from "../../../toolchain/progress.ts";
import { ensureRegistry } from "../../../toolchain/services/index.ts";
import { cloneCheckout } from "../registry.ts";

const NATIVE = process.arch === "arm64" ? "linux/arm64" : "linux/amd64";

/** Digests of weft: the index, and what it names for this machine and for another one. */
export interface Digests {
  readonly index: string;
  readonly own: string;
  readonly foreign: string;
}

/** The embedded registry. */
export async function embeddedRegistry(): Promise<RegistryClient> {
  const registry = await ensureRegistry(silent);
  return openRegistry(registry.host, { caFile: registry.ca, env: process.env });
}

/** Builds weft, or finds it built, in a clone whose stack dev builds nothing else. */
export async function buildWeft(): Promise<Digests> {
  const folder = mkdtempSync(join(tmpdir(), "keelson-host-"));
  try {
    const clone = await cloneCheckout(join(folder, "keelson"));
    const stack = join(clone, "Pulumi.dev.yaml");
    const text = readFileSync(stack, "utf8").replace(/ {2}keelson:(?:images|gateway):\n(?: {4}.*\n)+/g, "");
    writeFileSync(stack, `${text}  keelson:images: [weft]\n`);
    await execa("npm", ["run", "up"], { cwd: clone, input: "" });
    const output = 'eval "$(npm run --silent env)" && pulumi stack output images --json --stack dev';
    const { stdout } = await execa("bash", ["-c", output], { cwd: clone });
    const index: string = JSON.parse(stdout).weft.digest;
    const client = await embeddedRegistry();
    const images = await readPlatforms(client, "weft", index);
    client.close();
    const digest = (own: boolean) =>
      images.find(({ platform }) => (platform === NATIVE) === own)?.descriptor.digest ?? "";
    return { index, own: digest(true), foreign: digest(false) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
