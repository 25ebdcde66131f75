import { setTimeout as sleep } from "node:timers/promises";
import { at } from "../core/kubernetes/applied.ts";
import type { Pod } from "../core/kubernetes/objects.ts";
import { type LogQuery, linesOf, podQuery } from "../core/log-query.ts";
import { printable } from "../core/printable.ts";
import { type Call, Caller, OutageError, RefusedError } from "../plugins/kubernetes/call.ts";
import { selectorOf } from "../plugins/kubernetes/waiters.ts";
import { type ClusterWorkload, findWorkload, type OpenCluster } from "./cluster-session.ts";
import type { Listener } from "./host-session.ts";

/** How often pods are looked for whose lines nobody follows yet, milliseconds. */
const LOOK = 2000;

/** A line of a pod. */
interface Line {
  /** RFC 3339 with nine digits of a second, so that texts compare as times do. */
  readonly at: string;
  readonly pod: string;
  readonly text: string;
}

/** What all pods of a workload wrote, as it came: when, which pod, what. @returns 0; where it follows, never */
export async function clusterLogs(
  cluster: OpenCluster,
  service: string,
  query: LogQuery,
  listener: Listener,
): Promise<number> {
  const workload = await findWorkload(cluster, service);
  const caller = new Caller(await cluster.api.opened(), cluster.api.signal);
  const pods = await podsOf(cluster, workload);
  const read = await Promise.all(pods.map((pod) => linesOfPod(caller, workload.namespace, pod, query)));
  const all = read.flat().toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const count = linesOf(query);
  const show = ({ at: when, pod, text }: Line) =>
    listener.stdout(Buffer.from(`${when.slice(0, 19)}Z ${pod}: ${printable(text)}\n`));
  for (const line of count === "all" ? all : all.slice(-count)) show(line);
  if (!query.follow) return 0;
  // Pods that have said nothing yet have nothing to leave out.
  const seen = new Map(pods.map((pod, i) => [nameOf(pod), read[i]?.at(-1)?.at ?? ""]));
  return await follow(cluster, workload, caller, seen, show);
}

/** Goes on with what pods write, and with those that come. @param seen by pod, when its last line was written that is known */
async function follow(
  cluster: OpenCluster,
  workload: ClusterWorkload,
  caller: Caller,
  seen: Map<string, string>,
  show: (line: Line) => void,
): Promise<never> {
  const followed = new Set<string>();
  let failure: unknown;
  const one = async (pod: Pod) => {
    const name = nameOf(pod);
    const since = seen.get(name) ?? "";
    // Whole seconds alone: what came within the last one is left out by its time.
    const from = since === "" ? {} : { sinceTime: `${since.slice(0, 19)}Z` };
    const call = logCall(workload.namespace, pod, { timestamps: "true", follow: "true", ...from });
    for await (const text of caller.lines(call)) {
      const line = parseLine(name, text);
      if (line === undefined || line.at <= (seen.get(name) ?? "")) continue;
      seen.set(name, line.at);
      show(line);
    }
  };
  for (;;) {
    const pods = await podsOf(cluster, workload);
    for (const pod of pods) {
      const name = nameOf(pod);
      if (followed.has(name)) continue;
      followed.add(name);
      one(pod)
        .catch((error: unknown) => {
          // A connection that breaks is made anew; that no server answers is told by the next look for pods.
          if (!isSilent(error) && !(error instanceof OutageError)) failure = error;
        })
        // A container that ended may start again.
        .finally(() => followed.delete(name));
    }
    await sleep(LOOK, undefined, { signal: cluster.api.signal });
    if (failure !== undefined) throw failure;
  }
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

async function linesOfPod(caller: Caller, namespace: string, pod: Pod, query: LogQuery): Promise<Line[]> {
  const { text } = await caller.text(logCall(namespace, pod, podQuery(query))).catch((error: unknown) => {
    if (isSilent(error)) return { text: "" };
    throw error;
  });
  return text.split("\n").flatMap((line) => parseLine(nameOf(pod), line) ?? []);
}

function logCall(namespace: string, pod: Pod, query: Readonly<Record<string, string>>): Call {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(nameOf(pod))}/log`;
  return { method: "GET", path, query: { container: containerOf(pod), ...query } };
}

/** A container that has not begun, or whose pod is gone, says nothing. */
function isSilent(error: unknown): boolean {
  return error instanceof RefusedError && [400, 404].includes(error.refusal.code);
}

function parseLine(pod: string, line: string): Line | undefined {
  const space = line.indexOf(" ");
  return line === "" ? undefined : { at: line.slice(0, space), pod, text: line.slice(space + 1) };
}

function nameOf(pod: Pod): string {
  return String(at(pod, "metadata", "name"));
}
