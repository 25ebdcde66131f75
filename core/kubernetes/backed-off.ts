import type { ObjectMeta, Pod } from "./objects.ts";
import { isLive, isUnready } from "./pod.ts";
import type { Trouble } from "./trouble.ts";

/**
 * What failed, and is tried again only when a back-off is over: of a pod up to 5 minutes, of its maker up to 17. A cause that
 * is mended outside (an image pushed, a Secret made, a quota raised) shows at once where the pod is made anew, or its maker asked again.
 */
export interface BackedOff {
  readonly apiVersion: string;
  readonly kind: "Pod" | "ReplicaSet" | "StatefulSet" | "DaemonSet";
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** As it was seen. */
  readonly resourceVersion: string;
}

/** The pod, where it waits for its next try: it serves nobody, and there is no more to come of it than of a new one. */
export function backedOffPod(pod: Pod, troubles: readonly Trouble[]): BackedOff[] {
  const waits = troubles.some(({ verdict, reason }) => verdict === "fatal" || /BackOff$/.test(reason));
  return waits && isLive(pod) && isUnready(pod) && !keepsData(pod) ? named("v1", "Pod", pod.metadata) : [];
}

/** A pod that may have written what no other pod would have: its own volume is all that it has, and it is not one of many alike. */
function keepsData({ metadata, spec, status }: Pod): boolean {
  const volumes = spec?.volumes ?? [];
  const hasOwn = volumes.some(({ emptyDir }) => emptyDir !== undefined);
  const isAlone = !volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined);
  const hasRun = (status?.containerStatuses ?? []).some(
    ({ restartCount = 0, lastState }) => restartCount > 0 || lastState?.terminated !== undefined,
  );
  const isAlike = (metadata?.ownerReferences ?? []).some(({ kind }) => kind === "ReplicaSet");
  return hasOwn && isAlone && hasRun && !isAlike;
}

/** A maker of pods, where it was refused some. */
export function backedOffMaker(
  kind: Exclude<BackedOff["kind"], "Pod">,
  metadata: ObjectMeta | undefined,
  refused: readonly Trouble[],
): BackedOff[] {
  return refused.length === 0 ? [] : named("apps/v1", kind, metadata);
}

function named(apiVersion: string, kind: BackedOff["kind"], metadata: ObjectMeta = {}): BackedOff[] {
  const { namespace = "default", name, uid, resourceVersion } = metadata;
  if (name === undefined || uid === undefined || resourceVersion === undefined) return [];
  return [{ apiVersion, kind, namespace, name, uid, resourceVersion }];
}
