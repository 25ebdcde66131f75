import { type BackedOff, backedOffMaker, backedOffPod } from "./backed-off.ts";
import type { Condition, Deployment, KubernetesEvent, Pod, ReplicaSet } from "./objects.ts";
import { distinctTroubles, isLive, isOwned, podTroubles } from "./pod.ts";
import { refusedPods } from "./refused-pods.ts";
import { type Trouble, WITHOUT_POD } from "./trouble.ts";
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
  /** What may be tried again at once, where its cause was mended. */
  readonly backedOff?: readonly BackedOff[];
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
  // Each is one of the new, which are available: what their ReplicaSet says of itself may be older, or was not asked.
  if (isDone) return { verdict: "done", troubles: [], serving: { new: wanted, old: 0 } };
  // Until the controller has seen the change, all that is there is of the version before.
  if (!isSeen || newest === undefined) return { verdict: "wait", troubles: stopped(observed, []), serving };
  const pods = observed.pods.filter((pod) => isOwned(pod.metadata, newest.metadata?.uid) && isLive(pod));
  const { events, logs } = observed;
  const surroundings = { namespace: namespaceOf(deployment), workload: workloadOf(deployment), events, logs };
  const troubled = pods.map((pod) => podTroubles(pod, surroundings));
  const isHopeless = pods.length > 0 && troubled.every((found) => found.some((t) => t.verdict === "fatal"));
  const creation = (newest.spec?.replicas ?? 0) > pods.length ? creationTroubles(newest, observed) : [];
  const overdue = stopped(observed, pods);
  const isFatal =
    isHopeless ||
    (pods.length === 0 && creation.some((t) => t.verdict === "fatal")) ||
    overdue.some((t) => t.verdict === "fatal");
  const backedOff = [
    ...backedOffMaker("ReplicaSet", newest.metadata, creation),
    ...pods.flatMap((pod, i) => backedOffPod(pod, troubled[i] ?? [])),
  ];
  // One pod's fatal trouble is no word on a rollout whose other pods may serve.
  const shown = isFatal ? troubled.flat() : troubled.flat().map((t): Trouble => ({ ...t, verdict: "wait" }));
  return {
    verdict: isFatal ? "fatal" : "wait",
    troubles: distinctTroubles([...creation, ...shown, ...overdue]),
    serving,
    ...(backedOff.length > 0 && { backedOff }),
  };
}

function revision({ metadata }: ReplicaSet): number {
  return Number(metadata?.annotations?.[REVISION] ?? 0);
}

/** What keeps a ReplicaSet from making pods: its own word, which its controller takes back; its events stay for an hour. */
function creationTroubles(set: ReplicaSet, { deployment, events }: ObservedRollout): Trouble[] {
  const failure = (set.status?.conditions ?? []).find((c) => c.type === "ReplicaFailure" && c.status === "True");
  if (failure === undefined) return [];
  const owner = { kind: "replicaset", name: set.metadata?.name ?? "?", uid: set.metadata?.uid };
  return refusedPods({ ...owner, namespace: namespaceOf(deployment) }, events, failure.message);
}

/**
 * What the deployment itself says: its time is over, or it is paused.
 * @param pods of the new version: one that was made after the time was over has not had it
 */
function stopped({ deployment }: ObservedRollout, pods: readonly Pod[]): Trouble[] {
  const namespace = namespaceOf(deployment);
  const where = workloadOf(deployment).replace("/", " ");
  const conditions: readonly Condition[] = deployment.status?.conditions ?? [];
  const progress = conditions.find((c) => c.type === "Progressing");
  const isSeen = (deployment.status?.observedGeneration ?? 0) >= (deployment.metadata?.generation ?? 0);
  const given = Date.parse(progress?.lastUpdateTime ?? "");
  const isNew = ({ metadata }: Pod) => Date.parse(metadata?.creationTimestamp ?? "") > given;
  if (isSeen && progress?.reason === "ProgressDeadlineExceeded" && !pods.some(isNew))
    return [
      {
        ...{ verdict: "fatal", where, reason: progress.reason, message: progress.message ?? "", log: [] },
        cause: "its time is over (progressDeadlineSeconds)",
        command: kubectl(namespace, "rollout", "undo", workloadOf(deployment)),
        later: WITHOUT_POD,
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
