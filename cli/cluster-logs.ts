import { at } from "../core/kubernetes/applied.ts";
import type { Pod } from "../core/kubernetes/objects.ts";
import { printable } from "../core/printable.ts";
import { Caller, RefusedError } from "../plugins/kubernetes/call.ts";
import { selectorOf } from "../plugins/kubernetes/waiters.ts";
import { type ClusterWorkload, findWorkload, type OpenCluster } from "./cluster-session.ts";
import type { Listener } from "./host-session.ts";

/** The last lines of all pods of a workload, as they came: when, which pod, what. */
export async function clusterLogs(
  cluster: OpenCluster,
  [service = "", lines = "100"]: readonly string[],
  listener: Listener,
): Promise<number> {
  const workload = await findWorkload(cluster, service);
  const caller = new Caller(await cluster.api.opened(), cluster.api.signal);
  const texts = await Promise.all(
    (await podsOf(cluster, workload)).map((pod) => logOf(caller, workload.namespace, pod, lines)),
  );
  const all = texts.flat().toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  for (const { at: when, pod, text } of all.slice(-Number(lines)))
    listener.stdout(Buffer.from(`${when.slice(0, 19)}Z ${pod}: ${printable(text)}\n`));
  return 0;
}

/** Pods of a workload. */
export async function podsOf({ api }: OpenCluster, workload: ClusterWorkload): Promise<Pod[]> {
  const query = { labelSelector: workload.live === undefined ? "" : selectorOf(workload.live) };
  return (await api.list({ apiVersion: "v1", kind: "Pod" }, workload.namespace, query)) as Pod[];
}

/** The container that a pod is for: its first. */
export function containerOf(pod: Pod): string {
  return pod.spec?.containers?.[0]?.name ?? "";
}

async function logOf(caller: Caller, namespace: string, pod: Pod, lines: string) {
  const name = String(at(pod, "metadata", "name"));
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/log`;
  const query = { container: containerOf(pod), tailLines: lines, timestamps: "true" };
  const { text } = await caller.text({ method: "GET", path, query }).catch((error: unknown) => {
    // A container that has not begun has said nothing.
    if (error instanceof RefusedError && [400, 404].includes(error.refusal.code)) return { text: "" };
    throw error;
  });
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const space = line.indexOf(" ");
      return { at: line.slice(0, space), pod: name, text: line.slice(space + 1) };
    });
}
