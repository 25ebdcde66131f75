import { containerTrouble, lastWords } from "./container.ts";
import type { KubernetesEvent, ObjectMeta, Pod } from "./objects.ts";
import { lastLines, type Trouble, WITHOUT_POD } from "./trouble.ts";
import { kubectl } from "./words.ts";

/** What is known around a workload's pods. */
export interface PodSurroundings {
  readonly namespace: string;
  /** @example "deployment/todo-backend" */
  readonly workload: string;
  readonly events: readonly KubernetesEvent[];
  /** Last output, by `pod/container`: of the container that ended before, where there is one. */
  readonly logs: Readonly<Record<string, string>>;
}

/** A pod that is neither being deleted nor was taken away by its node, which makes another one of it. */
export function isLive({ metadata, status }: Pod): boolean {
  const gone = ["Evicted", "Preempting", "NodeShutdown", "Terminated", "NodeAffinity", "NodeLost"];
  return (
    metadata?.deletionTimestamp === undefined && !(status?.phase === "Failed" && gone.includes(status.reason ?? ""))
  );
}

/** True where a program of it runs. */
export function isAtWork({ status }: Pod): boolean {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].some(
    ({ state }) => state?.running !== undefined,
  );
}

/** True for a pod that no Service leads to. */
export function isUnready({ status }: Pod): boolean {
  return !(status?.conditions ?? []).some((c) => c.type === "Ready" && c.status === "True");
}

/** True for what an object with this uid made. */
export function isOwned(metadata: ObjectMeta | undefined, uid: string | undefined): boolean {
  return uid !== undefined && (metadata?.ownerReferences ?? []).some((owner) => owner.uid === uid);
}

/** What keeps one pod from serving; none where it serves, or only starts. */
export function podTroubles(pod: Pod, { namespace, workload, events, logs }: PodSurroundings): Trouble[] {
  const name = pod.metadata?.name ?? "";
  const own = events.filter((event) => isAbout(event, pod));
  const inits = pod.status?.initContainerStatuses ?? [];
  const statuses = [...inits, ...(pod.status?.containerStatuses ?? [])];
  const troubles = statuses.flatMap((status) => {
    const log = logs[`${name}/${status.name ?? ""}`];
    const subject = { pod, status, namespace, workload, isInit: inits.includes(status), events: own, log };
    return containerTrouble(subject) ?? [];
  });
  if (troubles.length > 0) return troubles;
  return (
    [
      unbound(pod, events),
      unscheduled(pod, namespace),
      unmounted(pod, namespace, own),
      unready(pod, namespace, own, logs),
      lost(pod),
    ].find((found) => found !== undefined) ?? []
  );
}

/** A StatefulSet's pod has the name of the one before it, whose events stay for an hour. */
function isAbout({ involvedObject: of }: KubernetesEvent, { metadata }: Pod): boolean {
  if (of?.uid !== undefined && metadata?.uid !== undefined) return of.uid === metadata.uid;
  return of?.name !== undefined && of.name === metadata?.name;
}

/** A volume that nobody will make: no storage class, and none that is called so. */
function unbound(pod: Pod, events: readonly KubernetesEvent[]): Trouble[] | undefined {
  const scheduled = pod.status?.conditions?.find((c) => c.type === "PodScheduled");
  if (scheduled?.status !== "False") return undefined;
  const claims = (pod.spec?.volumes ?? []).flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? []);
  const event = events.findLast(
    ({ involvedObject: of, message = "" }) =>
      of?.kind === "PersistentVolumeClaim" && claims.includes(of.name ?? "") && NO_CLASS.test(message),
  );
  if (event === undefined) return undefined;
  const name = /storageclass\S* "([^"]+)" not found/i.exec(event.message ?? "")?.[1];
  const claim = `the claim ${event.involvedObject?.name}`;
  const cause =
    name === undefined
      ? `${claim} names no storage class, and the cluster has no default one: nobody makes its volume`
      : `the cluster has no storage class ${name}, which ${claim} names: nobody makes its volume`;
  const command = "kubectl get storageclasses; name one of them, make one the default, or ask for no volume";
  const found = waiting(pod, event.reason ?? "FailedBinding", event.message ?? "", cause, command);
  return [{ ...found, verdict: "fatal" }];
}

/** What the volume controller says of such a claim (pkg/controller/volume/persistentvolume of 1.34). */
const NO_CLASS = /no storage class is set|storageclass\S* "[^"]+" not found/i;

/** What a node is short of when it has such a taint (node.kubernetes.io/disk-pressure and so on), by the taint's first word. */
const SHORT: Readonly<Record<string, string>> = {
  disk: "a node's disk is nearly full",
  memory: "a node has hardly any memory left",
  pid: "a node has hardly any process ids left",
};

/** A cluster may grow; what it lacks is told meanwhile. */
function unscheduled(pod: Pod, namespace: string): Trouble[] | undefined {
  const scheduled = pod.status?.conditions?.find((c) => c.type === "PodScheduled");
  if (scheduled?.status !== "False") return undefined;
  const message = scheduled.message ?? "";
  const lack = /Insufficient ([\w./-]+)/.exec(message)?.[1];
  const isAway = /node\.kubernetes\.io\/(?:unreachable|not-ready)/.test(message);
  const short = SHORT[/node\.kubernetes\.io\/(\w+)-pressure/.exec(message)?.[1] ?? ""];
  const cause =
    lack !== undefined
      ? `no node has enough ${lack} left`
      : isAway
        ? "a node does not answer, and no other takes the pod"
        : short !== undefined
          ? `${short}: it takes no pods until there is room, and for five minutes more`
          : /untolerated taint|node affinity|node selector/i.test(message)
            ? "no node is one that the pod may run on"
            : /persistentvolumeclaim/i.test(message)
              ? "a volume that it asks for is not there"
              : "no node takes it";
  const command = isAway ? "kubectl get nodes" : kubectl(namespace, "describe", "nodes");
  return [waiting(pod, scheduled.reason ?? "Unschedulable", message, cause, command)];
}

function unmounted(pod: Pod, namespace: string, events: readonly KubernetesEvent[]): Trouble[] | undefined {
  const isCreating = (pod.status?.containerStatuses ?? []).some(
    (c) => c.state?.waiting?.reason === "ContainerCreating",
  );
  const event = events.findLast((e) =>
    ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"].includes(e.reason ?? ""),
  );
  if (!isCreating || event === undefined) return undefined;
  const message = event.message ?? "";
  const missing = /(secret|configmap) "([^"]+)" not found/i.exec(message);
  const cause =
    missing === null
      ? "its node can't prepare what it asks for"
      : `the ${missing[1]} ${missing[2]} that it mounts is not there`;
  const command =
    missing === null
      ? kubectl(namespace, "describe", "pod", pod.metadata?.name ?? "")
      : kubectl(namespace, "get", `${missing[1]?.toLowerCase()}s`);
  const found = waiting(pod, event.reason ?? "", message, cause, command);
  return [missing === null ? { ...found, later: WITHOUT_POD } : found];
}

function unready(
  pod: Pod,
  namespace: string,
  events: readonly KubernetesEvent[],
  logs: PodSurroundings["logs"],
): Trouble[] | undefined {
  const name = pod.metadata?.name ?? "";
  const container = (pod.status?.containerStatuses ?? []).find(
    (c) => c.state?.running !== undefined && c.ready === false,
  );
  if (container === undefined) return undefined;
  const probe = events.findLast((e) => e.reason === "Unhealthy")?.message ?? "";
  const log = lastLines(logs[`${name}/${container.name ?? ""}`]);
  const unknown = probe === "" ? "it runs, and is not ready yet" : "it runs, and its probe finds it not ready";
  const words = lastWords(log.join("\n"));
  const logsOf = kubectl(namespace, "logs", name, "-c", container.name ?? "");
  const command = words === undefined ? logsOf : `${words.fix}; ${logsOf}`;
  const found = waiting(
    pod,
    "NotReady",
    probe,
    words === undefined ? unknown : `it runs, and ${words.message}`,
    command,
  );
  return [{ ...found, later: words?.fix ?? WITHOUT_POD, log }];
}

/**
 * A node that says nothing any more: its pods count as not ready, with containers as it last saw them. Only the node's controller
 * and readiness gates, which say so, leave a pod like that.
 */
function lost({ metadata, spec, status }: Pod): Trouble[] | undefined {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const containers = status?.containerStatuses ?? [];
  if (ready?.status !== "False" || ready.reason === "ReadinessGatesNotReady") return undefined;
  if (containers.length === 0 || containers.some((container) => container.ready !== true)) return undefined;
  const node = spec?.nodeName ?? "?";
  const cause = `its node ${node} does not answer: pods of it are made anew on others after 5 minutes`;
  return [
    waiting({ metadata: metadata ?? {} }, "NodeNotReady", ready.message ?? "", cause, `kubectl describe node ${node}`),
  ];
}

function waiting(pod: Pod, reason: string, message: string, cause: string, command: string): Trouble {
  return { verdict: "wait", where: `pod ${pod.metadata?.name ?? "?"}`, reason, message, cause, command, log: [] };
}

/** Fatal ones first; of those that say the same of another pod, the first, by name. */
export function distinctTroubles(troubles: readonly Trouble[]): Trouble[] {
  const rank = { fatal: 0, wait: 1 };
  const sorted = troubles.toSorted(
    (a, b) => rank[a.verdict] - rank[b.verdict] || (a.where < b.where ? -1 : a.where > b.where ? 1 : 0),
  );
  const seen = new Set<string>();
  return sorted.filter(({ reason, cause, where }) => {
    const key = `${where.split(",")[1] ?? where.split(" ")[0]} ${reason} ${cause}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
