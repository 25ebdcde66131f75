import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { RegistryClient } from "../../oci/client.ts";
import { pushFlatImage } from "../../toolchain/lab/kubernetes/flat-image.ts";
import { checkLab, ensureLabRoot } from "../../toolchain/lab/root.ts";
import { ensureTool } from "../../toolchain/tools.ts";

/**
 * Pushes an image of our own BuildKit: no registry from which this machine could pull the official one.
 * @param ca PEM file of who its registries' certificates are by
 * @param more what else is in it, by path
 * @returns its reference in the registry.
 */
export async function pushBuildkit(
  client: RegistryClient,
  ca?: string,
  more: Readonly<Record<string, Uint8Array>> = {},
): Promise<string> {
  const config = { Entrypoint: ["/usr/bin/buildkitd"], Env: ["PATH=/usr/bin"] };
  const trust = ca === undefined ? {} : { "etc/ssl/certs/ca-certificates.crt": await readFile(ca) };
  const files = { ...(await buildkitFiles()), ...trust, ...more };
  return pushFlatImage(client, { repository: "keelson/lab-buildkit", platform: checkLab(), files, config });
}

/** What an image of BuildKit needs: its programs, and runc with its libraries from a lab host's root. */
async function buildkitFiles(): Promise<Record<string, Uint8Array>> {
  const root = await ensureLabRoot();
  const runc = "/usr/sbin/runc";
  const inRoot = async (...command: string[]) => (await execa("chroot", [root, ...command])).stdout;
  const libraries = [...(await inRoot("ldd", runc)).matchAll(/(\/\S+) \(/g)].map(([, path = ""]) => path);
  const files: Record<string, Uint8Array> = { "usr/bin/runc": await readFile(join(root, runc)) };
  for (const path of libraries)
    files[path.slice(1)] = await readFile(join(root, (await inRoot("realpath", path)).trim()));
  for (const name of ["buildkitd", "buildctl"] as const)
    files[`usr/bin/${name}`] = await readFile((await ensureTool(name)).path);
  return files;
}
