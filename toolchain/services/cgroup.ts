import { createHash } from "node:crypto";
import { readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { findByCgroup, identify, pidNamespace, signal, waitForEnd } from "./process.ts";

/**
 * A control group of a service's own, by which the processes of its containers are known. The hash tells it from the one of another
 * KEELSON_HOME, and of another machine or container whose processes this one sees.
 * @param directory the service's
 * @example await cgroupName("/home/me/.cache/keelson/services/buildkit/default") // "keelson-6975b9a00462"
 */
export async function cgroupName(directory: string): Promise<string> {
  const hash = createHash("sha256").update(`${directory}\0${await pidNamespace()}`);
  return `keelson-${hash.digest("hex").slice(0, 12)}`;
}

/** Kills all processes of the service's containers. */
export async function endCgroup(directory: string): Promise<void> {
  const processes = (await Promise.all((await findByCgroup(await cgroupName(directory))).map(identify))).filter(
    (p) => p !== undefined,
  );
  for (const { pid } of processes) signal(pid, "SIGKILL");
  await waitForEnd(processes, 10);
}

/** Removes the empty control groups of ended containers, in each hierarchy: only directories, deepest first. */
export async function removeCgroups(directory: string): Promise<void> {
  const name = await cgroupName(directory);
  const root = "/sys/fs/cgroup";
  const hierarchies = ["", ...(await readdir(root).catch(() => []))];
  for (const hierarchy of hierarchies) await removeTree(join(root, hierarchy, name));
}

async function removeTree(group: string): Promise<void> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(group, entry.name));
  await rmdir(group).catch(() => {}); // absent, or still in use: the kernel keeps it, and nothing else minds
}
