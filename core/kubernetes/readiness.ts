import type { BackedOff } from "./backed-off.ts";
import type { Condition, KubernetesEvent, ObjectMeta, Pod } from "./objects.ts";
import { distinctTroubles, isLive, isOwned, type PodSurroundings, podTroubles } from "./pod.ts";
import { refusedPods } from "./refused-pods.ts";
import { judgeRollout, type ObservedRollout } from "./rollout.ts";
import type { Trouble } from "./trouble.ts";
import { kubectl } from "./words.ts";

/** Whether an object does what it is for. */
export interface Readiness {
  /** `fatal`: it will not get there by itself. */
  readonly verdict: "done" | "wait" | "fatal";
  readonly troubles: readonly Trouble[];
  /** One line on how far it is. @example "1 of 3 pods ready" */
  readonly progress: string;
  /** What may be tried again at once, where its cause was mended. */
  readonly backedOff?: readonly BackedOff[];
}

export const READY: Readiness = { verdict: "done", troubles: [], progress: "ready" };

/** A Deployment: by {@link judgeRollout}. */
export function judgeDeployment(observed: ObservedRollout): Readiness {
  const { verdict, troubles, serving, backedOff } = judgeRollout(observed);
  const old = serving.old === 0 ? "" : `, ${serving.old} of the version before`;
  return {
    verdict,
    troubles,
    progress: `${serving.new} of ${observed.deployment.spec?.replicas ?? 1} new pods serve${old}`,
    ...(backedOff && { backedOff }),
  };
}

export interface Job {
  readonly metadata?: ObjectMeta;
  readonly spec?: { readonly suspend?: boolean; readonly completions?: number };
  readonly status?: {
    readonly active?: number;
    readonly succeeded?: number;
    readonly failed?: number;
    readonly conditions?: readonly Condition[];
  };
}

/** A Job is done when it is complete, or suspended; over when it has failed, or its pods can't even start. */
export function judgeJob(
  job: Job,
  pods: readonly Pod[],
  events: readonly KubernetesEvent[],
  logs: PodSurroundings["logs"],
): Readiness {
  const { metadata, spec, status = {} } = job;
  const namespace = metadata?.namespace ?? "default";
  const progress = `${status.succeeded ?? 0} succeeded, ${status.failed ?? 0} failed, ${status.active ?? 0} active`;
  const holds = (type: string) => (status.conditions ?? []).find((c) => c.type === type && c.status === "True");
  if (holds("Complete") !== undefined || spec?.suspend === true) return { ...READY, progress };
  const own = pods.filter((pod) => isOwned(pod.metadata, metadata?.uid));
  const surroundings = { namespace, workload: `job/${metadata?.name ?? "?"}`, events, logs };
  const running = own.filter(
    (pod) => isLive(pod) && pod.status?.phase !== "Succeeded" && pod.status?.phase !== "Failed",
  );
  const maker = { kind: "job", namespace, name: metadata?.name ?? "?", uid: metadata?.uid };
  const refused = running.length === 0 ? refusedPods(maker, events, undefined, own) : [];
  const failed = holds("Failed");
  if (failed !== undefined) {
    const troubles = own.flatMap((pod) => podTroubles(pod, surroundings));
    const why: Trouble = {
      ...{
        verdict: "fatal",
        where: `job ${metadata?.name ?? "?"}`,
        reason: failed.reason ?? "Failed",
        message: failed.message ?? "",
      },
      ...{
        cause: "it has failed for good",
        command: kubectl(namespace, "logs", `job/${metadata?.name ?? "?"}`),
        log: [],
      },
    };
    return { verdict: "fatal", troubles: [why, ...refused, ...distinctTroubles(troubles)], progress };
  }
  const judged = judgePods(running, surroundings);
  // A program that ends with an error is what backoffLimit is for.
  const isOver =
    judged.verdict === "fatal" && judged.troubles.some((t) => t.verdict === "fatal" && t.reason !== "CrashLoopBackOff");
  const isRefused = refused.some((t) => t.verdict === "fatal");
  return { verdict: isOver || isRefused ? "fatal" : "wait", troubles: [...refused, ...judged.troubles], progress };
}

/** A pod of its own: done when it is ready, or has done its work. */
export function judgePod(pod: Pod, events: readonly KubernetesEvent[], logs: PodSurroundings["logs"]): Readiness {
  const phase = pod.status?.phase ?? "Pending";
  const isReady = (pod.status?.conditions ?? []).some((c) => c.type === "Ready" && c.status === "True");
  if (isReady || phase === "Succeeded") return { ...READY, progress: phase };
  const name = pod.metadata?.name ?? "?";
  const judged = judgePods([pod], {
    namespace: pod.metadata?.namespace ?? "default",
    workload: `pod/${name}`,
    events,
    logs,
  });
  return { ...judged, verdict: phase === "Failed" ? "fatal" : judged.verdict, progress: phase };
}

/** Fatal when every one of them is in a state that it doesn't leave by itself. */
export function judgePods(
  pods: readonly Pod[],
  surroundings: PodSurroundings,
): Pick<Readiness, "verdict" | "troubles"> {
  const troubled = pods.map((pod) => podTroubles(pod, surroundings));
  const isFatal = pods.length > 0 && troubled.every((found) => found.some((t) => t.verdict === "fatal"));
  return { verdict: isFatal ? "fatal" : "wait", troubles: distinctTroubles(troubled.flat()) };
}

export interface Service {
  readonly metadata?: ObjectMeta;
  readonly spec?: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly selector?: Readonly<Record<string, string>>;
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly unknown[] } };
}

export interface EndpointSlice {
  readonly endpoints?: readonly { readonly conditions?: { readonly ready?: boolean } }[] | null;
}

/**
 * A Service is done when it has its address, and all pods that it selects are ready; none is fine. One without a selector, or
 * without an address of its own, points to whatever somebody else says.
 */
export function judgeService(service: Service, slices: readonly EndpointSlice[]): Readiness {
  const { metadata, spec = {}, status } = service;
  const [namespace, name] = [metadata?.namespace ?? "default", metadata?.name ?? "?"];
  const where = `service ${name}`;
  if (spec.type === "LoadBalancer" && (status?.loadBalancer?.ingress ?? []).length === 0) {
    const cause =
      "no load balancer gave it an address: on minikube, minikube tunnel does; other clusters need a controller for it";
    return waiting(
      { where, reason: "Pending", cause, command: kubectl(namespace, "describe", "service", name) },
      "no address yet",
    );
  }
  const isSelecting =
    Object.keys(spec.selector ?? {}).length > 0 && spec.type !== "ExternalName" && spec.clusterIP !== "None";
  if (!isSelecting) return READY;
  const endpoints = slices.flatMap((slice) => slice.endpoints ?? []);
  const unready = endpoints.filter(({ conditions }) => conditions?.ready === false).length;
  const progress = `${endpoints.length - unready} of ${endpoints.length} pods ready`;
  if (unready === 0) return { ...READY, progress };
  const cause = "pods that it selects are not ready";
  return waiting(
    {
      where,
      reason: "NotReady",
      cause,
      command: kubectl(namespace, "get", "endpointslices", "-l", `kubernetes.io/service-name=${name}`),
    },
    progress,
  );
}

export interface Ingress {
  readonly metadata?: ObjectMeta;
  readonly spec?: { readonly ingressClassName?: string };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly unknown[] } };
}

/**
 * An Ingress is done when a controller has given it an address; over when it names a class that the cluster has not, since
 * nobody feels addressed then.
 * @param classes names of the cluster's IngressClasses; undefined where they can't be asked for
 */
export function judgeIngress({ metadata, spec, status }: Ingress, classes: readonly string[] | undefined): Readiness {
  if ((status?.loadBalancer?.ingress ?? []).length > 0) return { ...READY, progress: "has an address" };
  const wanted = spec?.ingressClassName;
  const where = `ingress ${metadata?.name ?? "?"}`;
  const command = "kubectl get ingressclasses";
  if (wanted === undefined || classes === undefined || classes.includes(wanted)) {
    const cause = "no ingress controller has given it an address";
    return waiting({ where, reason: "Pending", cause, command }, "no address yet");
  }
  const others = classes.length === 0 ? ", and no other" : `, only ${classes.join(", ")}`;
  const cause = `the cluster has no ingress class ${wanted}${others}`;
  const fix = `install its controller, or name another class (ingress.className of the workload): ${command}`;
  const trouble: Trouble = {
    ...{ verdict: "fatal", where, reason: "NoIngressClass", message: "", cause, command: fix, log: [] },
  };
  return { verdict: "fatal", troubles: [trouble], progress: "no address yet" };
}

export interface Claim {
  readonly metadata?: ObjectMeta;
  readonly spec?: { readonly storageClassName?: string };
  readonly status?: { readonly phase?: string };
}

/** A PersistentVolumeClaim is done when it is bound, or when its class binds it only to the first pod that mounts it. */
export function judgeClaim(
  { metadata, spec, status }: Claim,
  storageClass: { readonly volumeBindingMode?: string } | undefined,
): Readiness {
  const phase = status?.phase ?? "Pending";
  if (phase === "Bound") return { ...READY, progress: phase };
  if (phase === "Pending" && storageClass?.volumeBindingMode === "WaitForFirstConsumer")
    return { ...READY, progress: "waits for its first pod" };
  const name = spec?.storageClassName ?? "";
  const cause =
    phase === "Lost"
      ? "the volume that it was bound to is gone"
      : name === ""
        ? "it names no storage class, and the cluster has no default one"
        : storageClass === undefined
          ? `the cluster has no storage class ${name}`
          : `nothing has made a volume for it in class ${name}`;
  const trouble = {
    where: `claim ${metadata?.name ?? "?"}`,
    reason: phase,
    cause,
    command: "kubectl get storageclasses",
  };
  return { ...waiting(trouble, phase), verdict: phase === "Lost" ? "fatal" : "wait" };
}

/** What holds up an object's end. */
export function judgeDeletion(object: {
  readonly kind?: string;
  readonly metadata?: ObjectMeta & { readonly finalizers?: readonly string[] };
  readonly status?: { readonly conditions?: readonly Condition[] };
}): Readiness {
  const finalizers = (object.metadata?.finalizers ?? []).filter((name) => name !== "foregroundDeletion");
  const conditions = (object.status?.conditions ?? []).filter(
    ({ type, status }) => status === "True" && /^Namespace/.test(type ?? ""),
  );
  const kind = (object.kind ?? "object").toLowerCase();
  const [namespace, name] = [object.metadata?.namespace, object.metadata?.name ?? "?"];
  const said = conditions.map(({ message = "" }) => message).filter((message) => message !== "");
  const cause =
    said.length > 0
      ? said.join("; ")
      : finalizers.length > 0
        ? `it waits for ${finalizers.join(", ")}, which whoever set them has to take away`
        : "what it owns is not gone yet";
  const scope = namespace === undefined ? [] : ["-n", namespace];
  const command = ["kubectl", ...scope, "get", kind, name, "-o", "yaml"].join(" ");
  return waiting({ where: `${kind} ${name}`, reason: "Terminating", cause, command }, cause);
}

function waiting(trouble: Pick<Trouble, "where" | "reason" | "cause" | "command">, progress: string): Readiness {
  return { verdict: "wait", troubles: [{ verdict: "wait", message: "", log: [], ...trouble }], progress };
}
