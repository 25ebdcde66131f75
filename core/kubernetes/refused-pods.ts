import type { KubernetesEvent, ObjectMeta } from "./objects.ts";
import type { Trouble } from "./trouble.ts";
import { kubectl } from "./words.ts";

/** Who makes pods. @example { kind: "job", name: "migrate", namespace: "shop", uid: "…" } */
export interface PodMaker {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string | undefined;
}

/** What keeps pods from being made, by the API server's refusals; each is final, but for what is made meanwhile. */
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

/**
 * What the API server has against the pods of a ReplicaSet, StatefulSet or Job, by the last event of its controller.
 * @param said where the maker itself says why
 * @param pods that it made since; what was refused before the newest of them is over, and its event stays for an hour
 */
export function refusedPods(
  maker: PodMaker,
  events: readonly KubernetesEvent[],
  said?: string,
  pods: readonly { readonly metadata?: ObjectMeta }[] = [],
): Trouble[] {
  const { kind, name, namespace, uid } = maker;
  const newest = Math.max(...pods.map(({ metadata }) => timeOf(metadata?.creationTimestamp)));
  const isOver = (e: KubernetesEvent) => timeOf(e.lastTimestamp ?? e.eventTime) <= newest;
  const event = events.findLast((e) => e.reason === "FailedCreate" && e.involvedObject?.uid === uid && !isOver(e));
  const message = said ?? event?.message;
  if (message === undefined) return [];
  const where = `${kind === "replicaset" ? "replica set" : kind} ${name}`;
  for (const { sign, verdict, cause, command } of REFUSALS) {
    const found = sign.exec(message);
    if (found !== null)
      return [
        { verdict, where, reason: "FailedCreate", message, cause: cause(found), command: command(namespace), log: [] },
      ];
  }
  const command = kubectl(namespace, "describe", kind, name);
  return [
    { verdict: "wait", where, reason: "FailedCreate", message, cause: "its pods can't be made", command, log: [] },
  ];
}

/** Milliseconds; NaN, which is neither before nor after another, where it is not said. */
function timeOf(text: string | undefined): number {
  return Date.parse(text ?? "");
}
