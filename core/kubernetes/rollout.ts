import { containerTrouble } from "./container.ts";
import type { Condition, Deployment, KubernetesEvent, ObjectMeta, Pod, ReplicaSet } from "./objects.ts";
import { lastLines, type Trouble } from "./trouble.ts";
import { kubectl } from "./words.ts";

/** A rollout as the API server shows it at one time. */
export interface ObservedRollout {
  readonly deployment: Deployment;
  /** Of its namespace; those of other deployments are left aside. */
  readonly replicaSets: readonly ReplicaSet[];
  readonly pods: readonly Pod[];
  readonly events: readonly KubernetesEvent[];
  /** Last output, by `pod/container`: of the container that ended before, where there is one. */
  readonly logs: Readonly<Record<string, string>>;
}

/** What is to be done about a rollout. */
export interface RolloutState {
  /** `done`: every replica is new and serves. `fatal`: it will not get there by itself. */
  readonly verdict: "done" | "wait" | "fatal";
  /** What keeps it, the fatal ones first; of equal ones in many pods the first. */
  readonly troubles: readonly Trouble[];
  /** Replicas that serve, new and old. */
  readonly serving: { readonly new: number; readonly old: number };
}

/** Written by the deployment controller on the ReplicaSets that it makes, growing with each new one. */
const REVISION = "deployment.kubernetes.io/revision";

/**
 * Judges a rollout by what can be seen of it, so that one that can't succeed ends at once and says why, not after the ten
 * minutes that a Deployment is given. The rules are those of Shopify's krane: it is fatal when all pods of the new
 * ReplicaSet are in a state that they don't leave by themselves (an image that is not there, CrashLoopBackOff,
 * CreateContainerConfigError), or when none can be made; never for ImagePullBackOff alone, since registries come back, and
 * never for one pod on a bad node. Pods of older ReplicaSets go on serving, and say nothing here.
 * @example judgeRollout({ deployment, replicaSets, pods, events, logs }).verdict // "fatal"
 */
export function judgeRollout(observed: ObservedRollout): RolloutState {
  const { deployment, replicaSets } = observed;
  const { metadata, spec, status = {} } = deployment;
  const own = replicaSets.filter((set) => isOwned(set.metadata, metadata?.uid));
  const newest = own.toSorted((a, b) => revision(b) - revision(a))[0];
  const wanted = spec?.replicas ?? 1;
  const isSeen = (status.observedGeneration ?? 0) >= (metadata?.generation ?? 0);
  const serving = {
    new: isSeen ? (newest?.status?.readyReplicas ?? 0) : 0,
    old: own.filter((set) => set !== newest).reduce((sum, set) => sum + (set.status?.readyReplicas ?? 0), 0),
  };
  const isDone =
    isSeen &&
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted;
  if (isDone) return { verdict: "done", troubles: [], serving };
  // Until the controller has seen the change, all that is there is of the version before.
  if (!isSeen || newest === undefined) return { verdict: "wait", troubles: stopped(observed), serving };
  const pods = observed.pods.filter((pod) => isOwned(pod.metadata, newest.metadata?.uid) && isLive(pod));
  const troubled = pods.map((pod) => podTroubles(pod, observed));
  const isHopeless = pods.length > 0 && troubled.every((found) => found.some((t) => t.verdict === "fatal"));
  const creation = (newest.spec?.replicas ?? 0) > pods.length ? creationTroubles(newest, observed) : [];
  const overdue = stopped(observed);
  const isFatal =
    isHopeless ||
    (pods.length === 0 && creation.some((t) => t.verdict === "fatal")) ||
    overdue.some((t) => t.verdict === "fatal");
  // One pod's fatal trouble is no word on a rollout whose other pods may serve.
  const shown = isFatal ? troubled.flat() : troubled.flat().map((t): Trouble => ({ ...t, verdict: "wait" }));
  return { verdict: isFatal ? "fatal" : "wait", troubles: distinct([...creation, ...shown, ...overdue]), serving };
}

function isOwned(metadata: ObjectMeta | undefined, uid: string | undefined): boolean {
  return uid !== undefined && (metadata?.ownerReferences ?? []).some((owner) => owner.uid === uid);
}

function revision({ metadata }: ReplicaSet): number {
  return Number(metadata?.annotations?.[REVISION] ?? 0);
}

/** A pod that is neither being deleted nor was taken away by its node, which makes another one of it. */
function isLive({ metadata, status }: Pod): boolean {
  const gone = ["Evicted", "Preempting", "NodeShutdown", "Terminated", "NodeAffinity", "NodeLost"];
  return (
    metadata?.deletionTimestamp === undefined && !(status?.phase === "Failed" && gone.includes(status.reason ?? ""))
  );
}

function podTroubles(pod: Pod, { deployment, events, logs }: ObservedRollout): Trouble[] {
  const name = pod.metadata?.name ?? "";
  const namespace = namespaceOf(deployment);
  const own = events.filter((e) => e.involvedObject?.uid === pod.metadata?.uid || e.involvedObject?.name === name);
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const troubles = statuses.flatMap((status) => {
    const log = logs[`${name}/${status.name ?? ""}`];
    const subject = { pod, status, namespace, workload: workloadOf(deployment), events: own, log };
    return containerTrouble(subject) ?? [];
  });
  if (troubles.length > 0) return troubles;
  return (
    [unscheduled(pod, namespace), unmounted(pod, namespace, own), unready(pod, namespace, own, logs)].find(
      (found) => found !== undefined,
    ) ?? []
  );
}

/** A cluster may grow; what it lacks is told meanwhile. */
function unscheduled(pod: Pod, namespace: string): Trouble[] | undefined {
  const scheduled = pod.status?.conditions?.find((c) => c.type === "PodScheduled");
  if (scheduled?.status !== "False") return undefined;
  const message = scheduled.message ?? "";
  const lack = /Insufficient ([\w./-]+)/.exec(message)?.[1];
  const cause =
    lack !== undefined
      ? `no node has enough ${lack} left`
      : /untolerated taint|node affinity|node selector/i.test(message)
        ? "no node is one that the pod may run on"
        : /persistentvolumeclaim/i.test(message)
          ? "a volume that it asks for is not there"
          : "no node takes it";
  return [waiting(pod, scheduled.reason ?? "Unschedulable", message, cause, kubectl(namespace, "describe", "nodes"))];
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
  return [waiting(pod, event.reason ?? "", message, cause, command)];
}

function unready(
  pod: Pod,
  namespace: string,
  events: readonly KubernetesEvent[],
  logs: ObservedRollout["logs"],
): Trouble[] | undefined {
  const name = pod.metadata?.name ?? "";
  const container = (pod.status?.containerStatuses ?? []).find(
    (c) => c.state?.running !== undefined && c.ready === false,
  );
  if (container === undefined) return undefined;
  const probe = events.findLast((e) => e.reason === "Unhealthy")?.message ?? "";
  const log = lastLines(logs[`${name}/${container.name ?? ""}`]);
  const cause = probe === "" ? "it runs, and is not ready yet" : "it runs, and its probe finds it not ready";
  const command = kubectl(namespace, "logs", name, "-c", container.name ?? "");
  return [{ ...waiting(pod, "NotReady", probe, cause, command), log }];
}

function waiting(pod: Pod, reason: string, message: string, cause: string, command: string): Trouble {
  return { verdict: "wait", where: `pod ${pod.metadata?.name ?? "?"}`, reason, message, cause, command, log: [] };
}

/** What keeps a ReplicaSet from making pods, by the API server's refusals; each is final, but for what is made meanwhile. */
const REFUSALS: readonly {
  readonly sign: RegExp;
  readonly verdict: Trouble["verdict"];
  readonly cause: (found: RegExpExecArray) => string;
  readonly command: (namespace: string) => string;
}[] = [
  {
    sign: /exceeded quota: ([^,]+)/,
    verdict: "fatal",
    cause: (found) => `the namespace's quota ${found[1]} has no room for it`,
    command: (namespace) => kubectl(namespace, "describe", "resourcequota"),
  },
  {
    sign: /violates PodSecurity "([^"]+)"(?:: (.*))?/,
    verdict: "fatal",
    cause: (found) => `the namespace takes pods under ${found[1]} alone${found[2] ? `: ${found[2]}` : ""}`,
    command: () => "set what the message names in the workload's securityContext",
  },
  {
    sign: /admission webhook "([^"]+)" denied the request/,
    verdict: "fatal",
    cause: (found) => `the webhook ${found[1]} refuses it`,
    command: () => "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
  },
  {
    sign: /failed calling webhook "([^"]+)"/,
    verdict: "wait",
    cause: (found) => `the webhook ${found[1]} does not answer, and nothing passes without it`,
    command: () => "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
  },
  {
    sign: /because it is being terminated/,
    verdict: "fatal",
    cause: () => "the namespace is being deleted",
    command: (namespace) => kubectl(namespace, "get", "namespace", namespace, "-o", "yaml"),
  },
  {
    sign: /serviceaccount "([^"]+)" not found|error looking up service account [^:]*: serviceaccount "([^"]+)"/,
    verdict: "wait",
    cause: (found) => `the service account ${found[1] ?? found[2]} is not there`,
    command: (namespace) => kubectl(namespace, "get", "serviceaccounts"),
  },
  {
    sign: /is invalid: (.*)|forbidden: (.*)/,
    verdict: "fatal",
    cause: (found) => `the API server refuses its pods: ${found[1] ?? found[2]}`,
    command: (namespace) => kubectl(namespace, "get", "events", "--field-selector=reason=FailedCreate"),
  },
];

function creationTroubles(set: ReplicaSet, { deployment, events }: ObservedRollout): Trouble[] {
  const namespace = namespaceOf(deployment);
  const failure = (set.status?.conditions ?? []).find((c) => c.type === "ReplicaFailure" && c.status === "True");
  const event = events.findLast((e) => e.reason === "FailedCreate" && e.involvedObject?.uid === set.metadata?.uid);
  const message = failure?.message ?? event?.message;
  if (message === undefined) return [];
  const where = `replica set ${set.metadata?.name ?? "?"}`;
  for (const { sign, verdict, cause, command } of REFUSALS) {
    const found = sign.exec(message);
    if (found !== null)
      return [
        { verdict, where, reason: "FailedCreate", message, cause: cause(found), command: command(namespace), log: [] },
      ];
  }
  const command = kubectl(namespace, "describe", "replicaset", set.metadata?.name ?? "");
  return [
    { verdict: "wait", where, reason: "FailedCreate", message, cause: "its pods can't be made", command, log: [] },
  ];
}

/** What the deployment itself says: its time is over, or it is paused. */
function stopped({ deployment }: ObservedRollout): Trouble[] {
  const namespace = namespaceOf(deployment);
  const where = workloadOf(deployment).replace("/", " ");
  const conditions: readonly Condition[] = deployment.status?.conditions ?? [];
  const progress = conditions.find((c) => c.type === "Progressing");
  const isSeen = (deployment.status?.observedGeneration ?? 0) >= (deployment.metadata?.generation ?? 0);
  if (isSeen && progress?.reason === "ProgressDeadlineExceeded")
    return [
      {
        ...{ verdict: "fatal", where, reason: progress.reason, message: progress.message ?? "", log: [] },
        cause: "its time is over (progressDeadlineSeconds)",
        command: kubectl(namespace, "rollout", "undo", workloadOf(deployment)),
      },
    ];
  if (deployment.spec?.paused !== true) return [];
  return [
    {
      ...{ verdict: "wait", where, reason: "Paused", message: "", log: [] },
      cause: "somebody paused the deployment",
      command: kubectl(namespace, "rollout", "resume", workloadOf(deployment)),
    },
  ];
}

function namespaceOf({ metadata }: Deployment): string {
  return metadata?.namespace ?? "default";
}

function workloadOf({ metadata }: Deployment): string {
  return `deployment/${metadata?.name ?? "?"}`;
}

/** Fatal ones first; of those that say the same of another pod, the first, by name. */
function distinct(troubles: readonly Trouble[]): Trouble[] {
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
