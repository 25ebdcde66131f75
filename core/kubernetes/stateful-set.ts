import { backedOffMaker, backedOffPod } from "./backed-off.ts";
import type { KubernetesEvent, ObjectMeta, Pod } from "./objects.ts";
import { distinctTroubles, isLive, isOwned, isUnready, type PodSurroundings, podTroubles } from "./pod.ts";
import { judgePods, READY, type Readiness } from "./readiness.ts";
import { refusedPods } from "./refused-pods.ts";
import type { Trouble } from "./trouble.ts";
import { kubectl } from "./words.ts";

export interface StatefulSet {
  readonly metadata?: ObjectMeta;
  readonly spec?: {
    readonly replicas?: number;
    /** Default: OrderedReady. */
    readonly podManagementPolicy?: string;
    readonly updateStrategy?: {
      readonly type?: string;
      /** Pods with a lower number stay as they are. */
      readonly rollingUpdate?: { readonly partition?: number };
    };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly currentReplicas?: number;
    readonly updatedReplicas?: number;
    readonly currentRevision?: string;
    readonly updateRevision?: string;
  };
}

type LabelledPod = Pod & { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };

/** What a pod's template was, as the controller writes it on the pod. */
const REVISION_LABEL = "controller-revision-hash";

/**
 * A StatefulSet is done when all of its pods are ready and of its last revision, or as many of them as its partition lets change.
 * It takes one pod after the other: a pod of that revision that will never be ready holds up all that come after it, and so
 * does one of the version before (kubernetes/kubernetes#67250), unless pods are managed in parallel.
 * @example judgeStatefulSet(set, pods, events, logs).progress // "0 of 1 pods ready"
 */
export function judgeStatefulSet(
  set: StatefulSet,
  pods: readonly LabelledPod[],
  events: readonly KubernetesEvent[],
  logs: PodSurroundings["logs"],
): Readiness {
  const { metadata, spec, status = {} } = set;
  const wanted = spec?.replicas ?? 1;
  const isSeen = (status.observedGeneration ?? 0) >= (metadata?.generation ?? 0);
  const isManual = spec?.updateStrategy?.type === "OnDelete" && (metadata?.generation ?? 0) > 1;
  const partition = spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  const isParted = partition > 0 && (status.updatedReplicas ?? 0) >= wanted - partition;
  const isOne = status.currentRevision === status.updateRevision && status.updateRevision !== undefined;
  const isLast = isManual || isParted || isOne;
  const all = (status.replicas ?? 0) === wanted && (status.readyReplicas ?? 0) === wanted;
  const current = isManual || isParted || (status.currentReplicas ?? 0) === wanted;
  const progress = `${isLast ? (status.readyReplicas ?? 0) : (status.updatedReplicas ?? 0)} of ${wanted} pods ready`;
  if (isSeen && isLast && all && current) return { ...READY, progress };
  if (!isSeen) return { verdict: "wait", troubles: [], progress };
  const made = pods.filter((pod) => isOwned(pod.metadata, metadata?.uid));
  const own = made.filter(isLive);
  const unready = own.filter(isUnready);
  const isNewest = (pod: LabelledPod) =>
    partition > 0 || pod.metadata?.labels?.[REVISION_LABEL] === status.updateRevision;
  const isOrdered = spec?.updateStrategy?.type !== "OnDelete" && spec?.podManagementPolicy !== "Parallel";
  const [namespace, name] = [metadata?.namespace ?? "default", metadata?.name ?? "?"];
  const surroundings = { namespace, workload: `statefulset/${name}`, events, logs };
  const newest = judgePods(unready.filter(isNewest), surroundings);
  const holding = isOrdered ? unready.filter((pod) => !isNewest(pod)) : [];
  const held = holding.flatMap((pod) => podTroubles(pod, surroundings).map((trouble) => holdingUp(trouble, pod)));
  const maker = { kind: "statefulset", namespace, name, uid: metadata?.uid };
  // One that ends makes room for its successor, whatever an event of before says.
  const refused = made.length < wanted ? refusedPods(maker, events, undefined, made) : [];
  const isFatal = (troubles: readonly Trouble[]) => troubles.some(({ verdict }) => verdict === "fatal");
  // A pod that may still get ready may also make room for the next.
  const isOver = newest.verdict === "fatal" || isFatal(held) || (unready.length === 0 && isFatal(refused));
  const troubles = distinctTroubles([...refused, ...newest.troubles, ...held]);
  const inTheWay = [...unready.filter(isNewest), ...holding];
  const backedOff = [
    ...backedOffMaker("StatefulSet", metadata, refused),
    ...inTheWay.flatMap((pod) => backedOffPod(pod, podTroubles(pod, surroundings))),
  ];
  return { verdict: isOver ? "fatal" : "wait", troubles, progress, ...(backedOff.length > 0 && { backedOff }) };
}

/** A pod of the version before that is in the way of the new one. */
function holdingUp({ later: _, ...trouble }: Trouble, { metadata }: Pod): Trouble {
  return {
    ...trouble,
    cause: `${trouble.cause}; it is of the version before, and the new one waits until it is ready or gone`,
    command: kubectl(metadata?.namespace ?? "default", "delete", "pod", metadata?.name ?? "?"),
  };
}
