import { type DaemonSet, judgeDaemonSet } from "../../core/kubernetes/daemon-set.ts";
import type { Deployment, KubernetesEvent, Pod, ReplicaSet } from "../../core/kubernetes/objects.ts";
import {
  type Claim,
  type EndpointSlice,
  type Ingress,
  type Job,
  judgeClaim,
  judgeDeployment,
  judgeIngress,
  judgeJob,
  judgePod,
  judgeService,
  type Readiness,
  type Service,
} from "../../core/kubernetes/readiness.ts";
import { judgeStatefulSet, type StatefulSet } from "../../core/kubernetes/stateful-set.ts";
import { judgeWaitFor } from "../../core/kubernetes/wait-for.ts";
import type { Cluster } from "./cluster.ts";
import {
  ANNOTATION,
  annotationOf,
  isObject,
  type KubernetesObject,
  kindOf,
  nameOf,
  namespaceOf,
  textAt,
  valueAt,
} from "./object.ts";

/** Looks once at what an object is about, and judges it. */
export interface Waiter {
  readonly observe: (cluster: Cluster, live: KubernetesObject) => Promise<Readiness>;
  /** Seconds that the verdict has to stand, for what others change after it is made; default 0. */
  readonly settle?: number;
  /** Seconds that a verdict of no hope has to stand, for what another part of the same run may bring; default 0. */
  readonly doubt?: number;
  /** Seconds that it is given; default {@link TIMEOUT}. */
  readonly timeout?: number;
}

/** Seconds that an object is given to do what it is for, as the official plugin does. */
export const TIMEOUT = 600;

/** Seconds that others have to take notice of a change. */
const SETTLE = 2;

/** Seconds that an ingress class has to come, such as with the chart of its controller in the same run. */
const CLASS_COMES = 20;

const WAITERS: Readonly<Record<string, Waiter>> = {
  "apps/v1/Deployment": { observe: deployment },
  "apps/v1/StatefulSet": { observe: statefulSet },
  "apps/v1/DaemonSet": { observe: daemonSet },
  "batch/v1/Job": { observe: job },
  "v1/Pod": { observe: pod },
  // Endpoints come a moment after the Service.
  "v1/Service": { observe: service, settle: SETTLE },
  "networking.k8s.io/v1/Ingress": { observe: ingress, doubt: CLASS_COMES },
  "v1/PersistentVolumeClaim": { observe: claim, timeout: 300 },
};

/**
 * How an object's readiness is seen; undefined where it is ready as soon as it is there, or the inputs say `skipAwait`.
 * The annotation `waitFor` goes before the kind's own rule.
 */
export function waiterOf(inputs: KubernetesObject, live: KubernetesObject): Waiter | undefined {
  if (annotationOf(inputs, ANNOTATION.skipAwait) === "true") return undefined;
  const waitFor = annotationOf(inputs, ANNOTATION.waitFor);
  // Whoever does not write what generation a status is about needs a moment to see a change.
  const settle = Number(valueAt(live, "metadata", "generation") ?? 0) > 1 ? SETTLE : 0;
  if (waitFor !== "") return { observe: async (_, object) => wished(object, waitFor), settle };
  const { apiVersion, kind } = kindOf(live);
  return WAITERS[`${apiVersion}/${kind}`];
}

function wished(object: KubernetesObject, waitFor: string): Readiness {
  const judged = judgeWaitFor(object, waitFor);
  if (judged !== undefined) return judged;
  const trouble = {
    ...({ verdict: "fatal", where: nameOf(object), reason: "waitFor", message: waitFor, log: [] } as const),
    cause: "the annotation can't be read",
    command: `write ${ANNOTATION.waitFor}: condition=TYPE, or jsonpath={.status.phase}=Running`,
  };
  return { verdict: "fatal", troubles: [trouble], progress: waitFor };
}

async function deployment(cluster: Cluster, live: KubernetesObject): Promise<Readiness> {
  const namespace = namespaceOf(live);
  const quick = judgeDeployment({ deployment: live as Deployment, replicaSets: [], pods: [], events: [], logs: {} });
  if (quick.verdict === "done") return quick;
  const query = { labelSelector: selectorOf(live) };
  const [replicaSets, seen] = await Promise.all([
    cluster.list({ apiVersion: "apps/v1", kind: "ReplicaSet" }, namespace, query),
    podsOf(cluster, live),
  ]);
  return judgeDeployment({ deployment: live as Deployment, replicaSets: replicaSets as ReplicaSet[], ...seen });
}

async function statefulSet(cluster: Cluster, live: KubernetesObject): Promise<Readiness> {
  const quick = judgeStatefulSet(live as StatefulSet, [], [], {});
  if (quick.verdict === "done") return quick;
  const { pods, events, logs } = await podsOf(cluster, live);
  return judgeStatefulSet(live as StatefulSet, pods, events, logs);
}

async function daemonSet(cluster: Cluster, live: KubernetesObject): Promise<Readiness> {
  const quick = judgeDaemonSet(live as DaemonSet, [], [], {});
  if (quick.verdict === "done") return quick;
  const { pods, events, logs } = await podsOf(cluster, live);
  return judgeDaemonSet(live as DaemonSet, pods, events, logs);
}

async function job(cluster: Cluster, live: KubernetesObject): Promise<Readiness> {
  const quick = judgeJob(live as Job, [], [], {});
  if (quick.verdict === "done") return quick;
  const { pods, events, logs } = await podsOf(cluster, live);
  return judgeJob(live as Job, pods, events, logs);
}

async function pod(cluster: Cluster, live: KubernetesObject): Promise<Readiness> {
  const pods = [live as Pod];
  const [events, logs] = await Promise.all([eventsOf(cluster, namespaceOf(live)), logsOf(cluster, pods)]);
  return judgePod(live as Pod, events, logs);
}

async function service(cluster: Cluster, live: KubernetesObject): Promise<Readiness> {
  const query = { labelSelector: `kubernetes.io/service-name=${nameOf(live)}` };
  const slices = await cluster.list(
    { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" },
    namespaceOf(live),
    query,
  );
  return judgeService(live as Service, slices as EndpointSlice[]);
}

async function ingress(cluster: Cluster, live: KubernetesObject): Promise<Readiness> {
  const quick = judgeIngress(live as Ingress, []);
  if (quick.verdict === "done") return quick;
  const kind = { apiVersion: "networking.k8s.io/v1", kind: "IngressClass" };
  // Classes are the cluster's own: not everybody may see them.
  const classes = await cluster.list(kind, "").catch(() => undefined);
  return judgeIngress(live as Ingress, classes?.map(nameOf));
}

async function claim(cluster: Cluster, live: KubernetesObject): Promise<Readiness> {
  const name = textAt(live, "spec", "storageClassName");
  const kind = { apiVersion: "storage.k8s.io/v1", kind: "StorageClass" };
  const storageClass =
    name === "" ? undefined : await cluster.read({ ...kind, namespace: "", name }).catch(() => undefined);
  return judgeClaim(live as Claim, storageClass as { volumeBindingMode?: string } | undefined);
}

interface Pods {
  readonly pods: readonly Pod[];
  readonly events: readonly KubernetesEvent[];
  readonly logs: Readonly<Record<string, string>>;
}

async function podsOf(cluster: Cluster, live: KubernetesObject): Promise<Pods> {
  const namespace = namespaceOf(live);
  const [pods, events] = await Promise.all([
    cluster.list({ apiVersion: "v1", kind: "Pod" }, namespace, { labelSelector: selectorOf(live) }) as Promise<Pod[]>,
    eventsOf(cluster, namespace),
  ]);
  const [logs, unbound] = await Promise.all([logsOf(cluster, pods), unboundOf(cluster, namespace, pods)]);
  return { pods, events: [...events, ...unbound], logs };
}

/** What is said of claims that get no volume, which is no warning; asked only where pods wait for one. */
async function unboundOf(cluster: Cluster, namespace: string, pods: readonly Pod[]): Promise<KubernetesEvent[]> {
  const waits = pods.some(({ status }) =>
    status?.conditions?.some(
      ({ type, message }) => type === "PodScheduled" && /PersistentVolumeClaim/i.test(message ?? ""),
    ),
  );
  if (!waits) return [];
  const query = { fieldSelector: "involvedObject.kind=PersistentVolumeClaim", limit: "500" };
  try {
    const [claims, events] = await Promise.all([
      cluster.list({ apiVersion: "v1", kind: "PersistentVolumeClaim" }, namespace),
      cluster.list({ apiVersion: "v1", kind: "Event" }, namespace, query) as Promise<KubernetesEvent[]>,
    ]);
    // Events outlive what they tell of: a class may have come meanwhile.
    const lacking = await Promise.all(
      claims.map(async (one) => ((await lacksClass(cluster, one)) ? [nameOf(one)] : [])),
    );
    const names = lacking.flat();
    return events.filter(({ involvedObject }) => names.includes(involvedObject?.name ?? ""));
  } catch {
    cluster.signal.throwIfAborted();
    return [];
  }
}

async function lacksClass(cluster: Cluster, claim: KubernetesObject): Promise<boolean> {
  if (textAt(claim, "status", "phase") !== "Pending") return false;
  const name = textAt(claim, "spec", "storageClassName");
  if (name === "") return true;
  const kind = { apiVersion: "storage.k8s.io/v1", kind: "StorageClass" };
  return (await cluster.read({ ...kind, namespace: "", name })) === undefined;
}

/** Warnings of a namespace, the oldest first; none where the user may not read them. */
async function eventsOf(cluster: Cluster, namespace: string): Promise<KubernetesEvent[]> {
  const query = { fieldSelector: "type=Warning", limit: "500" };
  const events = (await cluster
    .list({ apiVersion: "v1", kind: "Event" }, namespace, query)
    .catch(() => [])) as readonly KubernetesEvent[];
  const at = ({ lastTimestamp, eventTime }: KubernetesEvent) => lastTimestamp ?? eventTime ?? "";
  return events.toSorted((a, b) => (at(a) < at(b) ? -1 : at(a) > at(b) ? 1 : 0));
}

/** Containers whose last words are asked for: a hundred pods say the same. */
const LOGS = 5;

/** Last words of containers that ended, or that run and are not ready. */
async function logsOf(cluster: Cluster, pods: readonly Pod[]): Promise<Record<string, string>> {
  const asked = pods.flatMap(({ metadata, status }) =>
    [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
      .filter(
        (c) =>
          c.ready !== true &&
          (c.state?.running !== undefined || c.state?.terminated !== undefined || (c.restartCount ?? 0) > 0),
      )
      .map((c) => ({
        namespace: metadata?.namespace ?? "",
        pod: metadata?.name ?? "",
        container: c.name ?? "",
        previous: (c.restartCount ?? 0) > 0 && c.state?.terminated === undefined,
      })),
  );
  // Of those that have something to say, not of the first that serve.
  const read = asked
    .slice(0, LOGS)
    .map(async ({ namespace, pod: name, container, previous }) => [
      `${name}/${container}`,
      await cluster.log(namespace, name, container, previous),
    ]);
  return Object.fromEntries(await Promise.all(read));
}

/** A workload's selector as a query has it. */
export function selectorOf(live: KubernetesObject): string {
  const labels = valueAt(live, "spec", "selector", "matchLabels");
  const expressions = valueAt(live, "spec", "selector", "matchExpressions");
  const equal = Object.entries(isObject(labels) ? labels : {}).map(([key, value]) => `${key}=${String(value)}`);
  const others = (Array.isArray(expressions) ? expressions : []).filter(isObject).map((expression) => {
    const key = textAt(expression, "key");
    const values = Array.isArray(expression.values) ? expression.values.join(",") : "";
    const operator = textAt(expression, "operator");
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator === "In" ? "in" : "notin"} (${values})`;
  });
  return [...equal, ...others].join(",");
}
