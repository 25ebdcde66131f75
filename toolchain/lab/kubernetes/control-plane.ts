import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { UserError } from "../../../core/error.ts";
import { writeFileAtomic, writeFileChanged } from "../../files.ts";
import type { Progress } from "../../progress.ts";
import { daemonEnvironment } from "../../services/environment.ts";
import { choosePort, onFreePort } from "../../services/port.ts";
import { ensureRunning, runningProcesses, type Service, type ServiceRemains } from "../../services/supervise.ts";
import type { Tool } from "../../tool.ts";
import { ensureTool } from "../../tools.ts";
import { ask } from "./api.ts";
import {
  type ClusterPlace,
  type ClusterPorts,
  CONTROL_PLANE,
  type ControlPlaneName,
  controlPlaneArguments,
  kubeconfigFile,
} from "./arguments.ts";
import { renderKubeconfig } from "./kubeconfig.ts";
import { type ClusterAddresses, ensurePki, type Pki } from "./pki.ts";

/** Where ports are looked for first; beside the registry's and R2's ranges. The API's is one that lies by itself. */
const FIRST_PORTS: ClusterPorts = {
  etcd: 5743,
  "etcd-peer": 5843,
  "kube-apiserver": 6443,
  "kube-controller-manager": 5943,
  "kube-scheduler": 6043,
};

/** Where a program says that it is ready. */
const READY: Readonly<Record<ControlPlaneName, string>> = {
  etcd: "/readyz",
  "kube-apiserver": "/readyz",
  "kube-controller-manager": "/healthz",
  "kube-scheduler": "/healthz",
};

/** Until a program answers; a twentieth of it on an idle machine. In seconds. */
const READY_WITHIN = 90;

const portsSchema = z.object({
  etcd: z.int(),
  "etcd-peer": z.int(),
  "kube-apiserver": z.int(),
  "kube-controller-manager": z.int(),
  "kube-scheduler": z.int(),
});

/** A control plane that answers. */
export interface ControlPlane {
  readonly place: ClusterPlace;
  readonly pki: Pki;
  /** Where this machine reaches the API. @example "https://127.0.0.1:6443" */
  readonly server: string;
}

/**
 * Sees to it that etcd, the API server and the controllers run; the scheduler where there is a node to give.
 * The caller holds the cluster's lock.
 */
export async function ensureControlPlane(
  folder: string,
  addresses: ClusterAddresses,
  programs: readonly ControlPlaneName[],
  progress: Progress,
): Promise<ControlPlane> {
  // One after the other: each finds in Go's cache what the one before compiled.
  const tools = new Map<ControlPlaneName, Tool>();
  for (const name of programs) tools.set(name, await ensureTool(name, progress));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const pki = await ensurePki(join(folder, "pki"), addresses, new Date());
  return onFreePort(async () => {
    const place: ClusterPlace = { folder, apiAddress: addresses.api, ports: await choosePorts(folder) };
    const server = `https://127.0.0.1:${place.ports["kube-apiserver"]}`;
    await writeKubeconfigs(place, server, pki);
    const start = async (name: ControlPlaneName) => {
      const tool = tools.get(name);
      if (tool === undefined) return;
      progress.status(`lab cluster: ${name}`);
      const service = controlPlaneService(name, tool, place, pki);
      const outcome = await ensureRunning(service, controlPlaneRemains(folder, name));
      if (outcome !== "running") progress.say(`lab cluster: ${name} ${outcome}`);
    };
    await start("etcd");
    await start("kube-apiserver");
    await Promise.all([start("kube-controller-manager"), start("kube-scheduler")]);
    await defaultAccount(place, pki);
    return { place, pki, server };
  });
}

/** How to stop a program, whether or not anything else of the cluster is known. */
export function controlPlaneRemains(folder: string, name: ControlPlaneName): ServiceRemains {
  const nowhere: ClusterPlace = { folder, apiAddress: "", ports: FIRST_PORTS };
  return {
    name,
    directory: join(folder, name),
    args: controlPlaneArguments(name, nowhere).slice(-1),
    grace: 5,
    sweep: async () => {},
  };
}

/** Which of them run. */
export async function runningPrograms(folder: string): Promise<ControlPlaneName[]> {
  const processes = await Promise.all(CONTROL_PLANE.map((name) => runningProcesses(controlPlaneRemains(folder, name))));
  return CONTROL_PLANE.filter((_, i) => (processes[i] ?? []).length > 0);
}

/** The control plane's ports, as they were last chosen. */
export async function readPorts(folder: string): Promise<ClusterPorts | undefined> {
  try {
    return portsSchema.parse(JSON.parse(await readFile(portsFile(folder), "utf8")));
  } catch {
    return undefined; // never chosen, or damaged: chosen anew
  }
}

function portsFile(folder: string): string {
  return join(folder, "ports.json");
}

/** Those of before, but where another program took one that ours does not hold. */
async function choosePorts(folder: string): Promise<ClusterPorts> {
  const before = await readPorts(folder);
  const running: readonly string[] = await runningPrograms(folder);
  const chosen = await Promise.all(
    Object.entries(FIRST_PORTS).map(async ([name, first]) => {
      const last = before?.[name as keyof ClusterPorts];
      if (last !== undefined && running.includes(name === "etcd-peer" ? "etcd" : name)) return [name, last];
      return [name, (await choosePort(`lab cluster's ${name}`, { first, before: last })).port];
    }),
  );
  const ports = portsSchema.parse(Object.fromEntries(chosen));
  await writeFileAtomic(portsFile(folder), `${JSON.stringify(ports)}\n`, 0o600);
  return ports;
}

async function writeKubeconfigs({ folder }: ClusterPlace, server: string, { ca, leaves }: Pki): Promise<void> {
  for (const [name, leaf] of [
    ["kube-controller-manager", leaves["controller-manager"]],
    ["kube-scheduler", leaves.scheduler],
  ] as const) {
    await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
    await writeFileChanged(kubeconfigFile(folder, name), renderKubeconfig(server, ca.pem, leaf), 0o600);
  }
}

function controlPlaneService(name: ControlPlaneName, tool: Tool, place: ClusterPlace, pki: Pki): Service {
  const args = controlPlaneArguments(name, place);
  const certificates = [pki.ca.pem, ...Object.values(pki.leaves).map(({ pem }) => pem)];
  return {
    name,
    directory: join(place.folder, name),
    command: tool.path,
    args,
    env: daemonEnvironment(),
    revision: createHash("sha256")
      .update(JSON.stringify([tool.path, tool.version, args, certificates]))
      .digest("hex"),
    answers: async () => (await ask(place.ports[name], READY[name], pki))?.status === 200,
    readyWithin: READY_WITHIN,
  };
}

/** The first pod of a namespace needs its account, which the controllers make. */
async function defaultAccount({ ports }: ClusterPlace, pki: Pki): Promise<void> {
  const path = "/api/v1/namespaces/default/serviceaccounts/default";
  const made = async () => (await ask(ports["kube-apiserver"], path, pki))?.status === 200;
  if (await within(READY_WITHIN, made)) return;
  throw new UserError(
    "the lab cluster's controllers made no service account `default` in the namespace `default`",
    "read their log: kube-controller-manager/log in the folder of the cluster",
  );
}

/** Asks until the answer is yes, at most so many seconds. */
export async function within(seconds: number, answer: () => Promise<boolean>): Promise<boolean> {
  for (let waited = 0; waited <= seconds; waited += 0.1) {
    if (await answer()) return true;
    await sleep(100);
  }
  return false;
}
