import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { openRegistry } from "../../oci/open.ts";
import { writeFileChanged } from "../files.ts";
import { type Home, home, prepareHome } from "../home.ts";
import { withLock } from "../lock.mjs";
import { type Progress, silent } from "../progress.ts";
import { ensureRegistry } from "../services/index.ts";
import { stopService } from "../services/supervise.ts";
import { ensureTool } from "../tools.ts";
import { removeHost, runningHost } from "./host.ts";
import { CONTROL_PLANE } from "./kubernetes/arguments.ts";
import {
  type ControlPlane,
  controlPlaneRemains,
  ensureControlPlane,
  runningPrograms,
} from "./kubernetes/control-plane.ts";
import { renderKubeconfig } from "./kubernetes/kubeconfig.ts";
import { CLUSTER_NAME } from "./kubernetes/names.ts";
import { allowDns, clusterAddresses, ensureNode, nodeFolder, nodeReady } from "./kubernetes/node.ts";
import { ensurePause } from "./kubernetes/pause.ts";
import { checkLab, ensureLabRoot } from "./root.ts";

/** A cluster that answers, and how to get in: as its administrator. */
export interface LabCluster {
  /** Path of a kubeconfig with a certificate, readable by its owner alone. */
  readonly kubeconfig: string;
  /** The context in it, which is its current one. @example "keelson-lab" */
  readonly context: string;
}

/**
 * Sees to it that a cluster runs on this machine: etcd, API server and controllers on loopback, and, unless `nodes` is
 * false, a scheduler and a node that pulls from the embedded registry. What runs is left alone.
 * @param options.home default: the user's; a node takes the embedded registry of the user's.
 * @example const { kubeconfig, context } = await ensureCluster({ nodes: false });
 * @throws UserError where a program can't be had or doesn't start; with a node, where the user is not root.
 */
export async function ensureCluster(
  options: { readonly home?: Home; readonly nodes?: boolean } = {},
  progress: Progress = silent,
): Promise<LabCluster> {
  const { nodes = true } = options;
  if (nodes) checkLab();
  const h = prepareHome(options.home ?? home());
  return locked(h, "starting the lab's cluster", async (folder) => {
    const running = await runningPrograms(folder);
    const programs = CONTROL_PLANE.filter((name) => name !== "kube-scheduler" || nodes || running.includes(name));
    const plane = await ensureControlPlane(folder, clusterAddresses(folder), programs, progress);
    const cluster = clusterOf(folder);
    const kubeconfig = renderKubeconfig(plane.server, plane.pki.ca.pem, plane.pki.leaves.admin);
    await writeFileChanged(cluster.kubeconfig, kubeconfig, 0o600);
    if (nodes) await startNode(plane, progress);
    return cluster;
  });
}

async function startNode(plane: ControlPlane, progress: Progress): Promise<void> {
  const programs: Record<string, string> = {};
  for (const name of ["kubelet", "kube-proxy", "coredns"] as const)
    programs[name] = (await ensureTool(name, progress)).path;
  const registry = await ensureRegistry(progress);
  const client = await openRegistry(registry.host, { caFile: registry.ca, env: process.env });
  const pause = await ensurePause(client, checkLab()).finally(() => client.close());
  const root = await ensureLabRoot(progress);
  progress.status("lab cluster: node");
  const booted = await ensureNode(plane, { root, registry, pause, programs });
  await allowDns(plane);
  await nodeReady(plane, booted ?? new Date(0));
  if (booted !== undefined) progress.say("lab cluster: node ready");
}

/** The cluster as it was last started, whether or not it runs; undefined where there is none. */
export function lastKnownCluster(h: Home = home()): LabCluster | undefined {
  const cluster = clusterOf(folderOf(h));
  return existsSync(cluster.kubeconfig) ? cluster : undefined;
}

/** Programs of the cluster that run, by name, and its node. */
export async function clusterPrograms(h: Home = home()): Promise<string[]> {
  const folder = folderOf(h);
  const node = await runningHost(nodeFolder(folder));
  return [...(await runningPrograms(folder)), ...(node === undefined ? [] : ["node"])];
}

/** Ends the cluster and removes all it kept. @returns whether there was one. */
export async function stopCluster(h: Home = home()): Promise<boolean> {
  if (!existsSync(folderOf(h))) return false;
  return locked(h, "stopping the lab's cluster", async (folder) => {
    await removeHost(nodeFolder(folder));
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
