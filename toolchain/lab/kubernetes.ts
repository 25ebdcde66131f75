import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileChanged } from "../files.ts";
import { type Home, home, prepareHome } from "../home.ts";
import { withLock } from "../lock.mjs";
import { type Progress, silent } from "../progress.ts";
import { stopService } from "../services/supervise.ts";
import { addressesOf } from "./host.ts";
import { CONTROL_PLANE, type ControlPlaneName } from "./kubernetes/arguments.ts";
import { controlPlaneRemains, ensureControlPlane, runningPrograms } from "./kubernetes/control-plane.ts";
import { renderKubeconfig } from "./kubernetes/kubeconfig.ts";
import { CLUSTER_NAME } from "./kubernetes/names.ts";

/** A cluster that answers, and how to get in: as its administrator. */
export interface LabCluster {
  /** Path of a kubeconfig with a certificate, readable by its owner alone. */
  readonly kubeconfig: string;
  /** The context in it, which is its current one. @example "keelson-lab" */
  readonly context: string;
}

/**
 * Sees to it that a cluster runs on this machine: etcd, API server and controllers on loopback. What runs is left alone.
 * @param options.home default: the user's.
 * @example const { kubeconfig, context } = await ensureCluster({ nodes: false });
 * @throws UserError where a program can't be had or doesn't start.
 */
export async function ensureCluster(
  options: { readonly home?: Home; readonly nodes: false },
  progress: Progress = silent,
): Promise<LabCluster> {
  const h = prepareHome(options.home ?? home());
  return locked(h, "starting the lab's cluster", async (folder) => {
    const running = await runningPrograms(folder);
    const programs: ControlPlaneName[] = CONTROL_PLANE.filter(
      (name) => name !== "kube-scheduler" || running.includes(name),
    );
    const { server, pki } = await ensureControlPlane(
      folder,
      addressesOf(join(folder, "node")).here,
      programs,
      progress,
    );
    const cluster = clusterOf(folder);
    await writeFileChanged(cluster.kubeconfig, renderKubeconfig(server, pki.ca.pem, pki.leaves.admin), 0o600);
    return cluster;
  });
}

/** The cluster as it was last started, whether or not it runs; undefined where there is none. */
export function lastKnownCluster(h: Home = home()): LabCluster | undefined {
  const cluster = clusterOf(folderOf(h));
  return existsSync(cluster.kubeconfig) ? cluster : undefined;
}

/** Programs of the cluster that run, by name. */
export async function clusterPrograms(h: Home = home()): Promise<string[]> {
  return runningPrograms(folderOf(h));
}

/** Ends the cluster and removes all it kept. @returns whether there was one. */
export async function stopCluster(h: Home = home()): Promise<boolean> {
  if (!existsSync(folderOf(h))) return false;
  return locked(h, "stopping the lab's cluster", async (folder) => {
    for (const name of CONTROL_PLANE.toReversed()) await stopService(controlPlaneRemains(folder, name));
    await rm(folder, { recursive: true, force: true });
    return true;
  });
}

function folderOf(h: Home): string {
  return join(h.root, "lab/kubernetes");
}

function clusterOf(folder: string): LabCluster {
  return { kubeconfig: join(folder, "kubeconfig"), context: CLUSTER_NAME };
}

async function locked<T>(h: Home, what: string, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(h.locks, { recursive: true });
  return withLock(join(h.locks, "lab-kubernetes.lock"), () => work(folderOf(h)), { what });
}
