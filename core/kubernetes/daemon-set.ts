import { backedOffMaker, backedOffPod } from "./backed-off.ts";
import type { KubernetesEvent, ObjectMeta, Pod } from "./objects.ts";
import { distinctTroubles, isLive, isOwned, isUnready, type PodSurroundings, podTroubles } from "./pod.ts";
import { judgePods, READY, type Readiness } from "./readiness.ts";
import { refusedPods } from "./refused-pods.ts";
import type { Trouble } from "./trouble.ts";

export interface DaemonSet {
  readonly metadata?: ObjectMeta;
  readonly spec?: { readonly updateStrategy?: { readonly type?: string } };
  readonly status?: {
    readonly observedGeneration?: number;
    /** Nodes that it is to run on. */
    readonly desiredNumberScheduled?: number;
    /** Nodes that have a pod of the last version. */
    readonly updatedNumberScheduled?: number;
    /** Nodes that have a pod which has been ready for `minReadySeconds`. */
    readonly numberAvailable?: number;
  };
}

type LabelledPod = Pod & { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };

/** Counts its templates, on the set and on each pod; the hash of a revision stands on pods alone (pkg/controller/daemon of 1.34). */
const TEMPLATE = { set: "deprecated.daemonset.template.generation", pod: "pod-template-generation" };

/**
 * A DaemonSet is done when every node that it is to run on has a pod of its last version that serves, as the official plugin has it
 * (pulumi-kubernetes#2953). One pod after the other is replaced: one of the last version that will never be ready holds up the nodes
 * that come after it; what a version before could not do is over with it.
 * @example judgeDaemonSet(set, pods, events, logs).progress // "1 of 3 nodes serve"
 */
export function judgeDaemonSet(
  set: DaemonSet,
  pods: readonly LabelledPod[],
  events: readonly KubernetesEvent[],
  logs: PodSurroundings["logs"],
): Readiness {
  const { metadata, spec, status = {} } = set;
  const isSeen = (status.observedGeneration ?? 0) >= (metadata?.generation ?? 0);
  const {
    desiredNumberScheduled: wanted,
    updatedNumberScheduled: updated = 0,
    numberAvailable: available = 0,
  } = status;
  const serving = isSeen ? Math.min(updated, available) : 0;
  const progress = `${serving} of ${wanted ?? "?"} nodes serve`;
  if (!isSeen || wanted === undefined) return { verdict: "wait", troubles: [], progress };
  if (serving >= wanted) return READY;
  const [namespace, name] = [metadata?.namespace ?? "default", metadata?.name ?? "?"];
  const made = pods.filter((pod) => isOwned(pod.metadata, metadata?.uid));
  const template = metadata?.annotations?.[TEMPLATE.set];
  const isNewest = ({ metadata: own }: LabelledPod) =>
    template === undefined || own?.labels?.[TEMPLATE.pod] === template;
  const unready = made.filter((pod) => isLive(pod) && isUnready(pod) && isNewest(pod));
  const surroundings = { namespace, workload: `daemonset/${name}`, events, logs };
  const judged = judgePods(unready, surroundings);
  const maker = { kind: "daemonset", namespace, name, uid: metadata?.uid };
  const refused = made.length < wanted ? refusedPods(maker, events, undefined, made) : [];
  const isRefused = unready.length === 0 && refused.some(({ verdict }) => verdict === "fatal");
  const byHand = spec?.updateStrategy?.type === "OnDelete" && updated < wanted ? [leftBehind(namespace, name)] : [];
  const backedOff = [
    ...backedOffMaker("DaemonSet", metadata, refused),
    ...unready.flatMap((pod) => backedOffPod(pod, podTroubles(pod, surroundings))),
  ];
  return {
    verdict: judged.verdict === "fatal" || isRefused ? "fatal" : "wait",
    troubles: distinctTroubles([...refused, ...judged.troubles, ...byHand]),
    progress,
    ...(backedOff.length > 0 && { backedOff }),
  };
}

/** Pods of the version before that nobody but its user replaces. */
function leftBehind(namespace: string, name: string): Trouble {
  return {
    ...{ verdict: "wait", where: `daemonset ${name}`, reason: "OnDelete", message: "", log: [] },
    cause: "its pods of the version before stay until somebody deletes them: updateStrategy is OnDelete",
    command: `kubectl -n ${namespace} delete pod …, one after the other, of those that daemonset/${name} made before`,
  };
}
