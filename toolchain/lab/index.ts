import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../core/error.ts";
import { home, prepareHome } from "../home.ts";
import { withLock } from "../lock.mjs";
import { type Progress, silent } from "../progress.ts";
import { ensureRegistry } from "../services/index.ts";
import { bootHost, type LabHost, removeHost, rootOf, runningHost } from "./host.ts";
import { checkLab, ensureLabRoot, type LabRelease } from "./root.ts";

export type { LabHost } from "./host.ts";
export { LAB_RELEASES, type LabRelease } from "./root.ts";

/** More than a machine has room for. */
export const MOST_HOSTS = 8;

/**
 * Sees to it that hosts vps1, vps2, … run, with the embedded registry beside them. What runs is left alone.
 * @param release of Debian. Default: bookworm for what does not run yet.
 * @example const [vps] = await startLab(1)
 * @throws UserError where the user is not root, or a host of that name runs another release.
 */
export async function startLab(count = 1, progress: Progress = silent, release?: LabRelease): Promise<LabHost[]> {
  checkLab();
  prepareHome();
  const registry = await ensureRegistry(progress);
  const root = await ensureLabRoot(progress, undefined, release);
  return locked("starting the lab", async (hosts) => {
    const names = Array.from({ length: count }, (_, i) => `vps${i + 1}`);
    return Promise.all(
      names.map(async (name) => {
        const folder = join(hosts, name);
        const running = await runningHost(folder);
        if (running === undefined) return bootHost(name, folder, root, registry);
        if (release === undefined || (await rootOf(folder)) === root) return running;
        throw new UserError(
          `the lab's host ${name} runs already, and is no ${release} of these packages`,
          "run `npm run lab -- down` first",
        );
      }),
    );
  });
}

/** The hosts that run. */
export async function labHosts(): Promise<LabHost[]> {
  const folders = await hostFolders();
  return (await Promise.all(folders.map(runningHost))).filter((host) => host !== undefined);
}

/** Ends all hosts and removes what they wrote; their common root file system stays. @returns their names. */
export async function stopLab(): Promise<string[]> {
  if ((await hostFolders()).length === 0) return [];
  checkLab();
  return locked("stopping the lab", async () => {
    const folders = await hostFolders();
    await Promise.all(folders.map(removeHost));
    return folders.map((folder) => folder.slice(folder.lastIndexOf("/") + 1));
  });
}

async function hostFolders(): Promise<string[]> {
  const hosts = hostsFolder();
  return existsSync(hosts) ? (await readdir(hosts)).toSorted().map((name) => join(hosts, name)) : [];
}

function hostsFolder(): string {
  return join(home().root, "lab/hosts");
}

function locked<T>(what: string, work: (hosts: string) => Promise<T>): Promise<T> {
  return withLock(join(home().locks, "lab.lock"), () => work(hostsFolder()), { what });
}
