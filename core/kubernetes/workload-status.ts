import type { ServiceStatus } from "../host-status.ts";
import { type AppliedWorkload, at } from "./applied.ts";
import { editsOf, type ManagedFields } from "./edits.ts";
import type { ReplicaSet } from "./objects.ts";
import { isOwned } from "./pod.ts";
import type { Readiness } from "./readiness.ts";
import { ROLLED_BACK } from "./rollback.ts";

/** A Deployment, StatefulSet or DaemonSet with what is known of it. */
export interface ObservedWorkload {
  readonly service: string;
  /** As the stack last applied it; none for what a chart made. */
  readonly applied?: AppliedWorkload | undefined;
  /** By digest, what its chart was given; they stand for what was applied. */
  readonly given?: readonly string[] | undefined;
  /** As the API server has it; none where it is gone. */
  readonly live?: Readonly<Record<string, unknown>> | undefined;
  /** Of its namespace; those of others are left aside. */
  readonly replicaSets: readonly ReplicaSet[];
  readonly readiness?: Readiness | undefined;
}

/**
 * What runs of a workload and what drifted, as hosts tell it of a service:
 * - `missing`: nobody has it any more;
 * - `rolled-back`: `keelson rollback` brought it to what it ran before;
 * - `wrong-image`: it runs another image than the stack last applied;
 * - `edited by kubectl-set (image)`: the manager's name, and the fields that it took over;
 * - `stopped`: no pod is wanted; `unhealthy`: not all pods serve.
 */
export function workloadStatus(observed: ObservedWorkload): ServiceStatus {
  const { service, applied, live, readiness } = observed;
  if (live === undefined) return { service, state: "drift", image: undefined, drift: ["missing"], kept: [] };
  const entries = at(live, "metadata", "managedFields");
  const edits =
    applied === undefined
      ? []
      : editsOf(Array.isArray(entries) ? (entries as ManagedFields[]) : [], applied.inputs, applied.manager);
  const isBack = at(live, "metadata", "annotations", ROLLED_BACK) !== undefined;
  const drift = [
    ...(isBack ? ["rolled-back"] : isOtherImage(observed) ? ["wrong-image"] : []),
    ...edits.map(({ manager, fields }) => `edited by ${manager} (${fields.join(", ")})`),
    ...(at(live, "spec", "replicas") === 0 && at(applied?.inputs, "spec", "replicas") !== 0 ? ["stopped"] : []),
    ...(readiness !== undefined && readiness.verdict !== "done" ? ["unhealthy"] : []),
  ];
  const [image] = imagesOf(at(live, "spec", "template"));
  return { service, state: drift.length === 0 ? "ok" : "drift", image, drift, kept: keptOf(observed, image) };
}

/** Whether a template runs what another one does: images and settings. */
export function isSameVersion(a: unknown, b: unknown): boolean {
  return JSON.stringify([imagesOf(a), settingsOf(a)]) === JSON.stringify([imagesOf(b), settingsOf(b)]);
}

/** ConfigMaps and Secrets that containers have as variables. */
export function settingsOf(template: unknown): { readonly kind: "ConfigMap" | "Secret"; readonly name: string }[] {
  const containers = at(template, "spec", "containers");
  const sources = (Array.isArray(containers) ? containers : []).flatMap((container: unknown) => {
    const envFrom = at(container, "envFrom");
    return Array.isArray(envFrom) ? (envFrom as unknown[]) : [];
  });
  return sources.flatMap((source) =>
    (["ConfigMap", "Secret"] as const).flatMap((kind) => {
      const name = at(source, kind === "ConfigMap" ? "configMapRef" : "secretRef", "name");
      return typeof name === "string" ? [{ kind, name }] : [];
    }),
  );
}

/** Images of a template's containers, by their order. */
export function imagesOf(template: unknown): string[] {
  return containersOf(template).map(({ image }) => image);
}

function containersOf(template: unknown): { readonly name: string; readonly image: string }[] {
  const containers = at(template, "spec", "containers");
  return (Array.isArray(containers) ? containers : []).map((container: unknown) => ({
    name: String(at(container, "name")),
    image: String(at(container, "image")),
  }));
}

function isOtherImage({ applied, given = [], live }: ObservedWorkload): boolean {
  const running = containersOf(at(live, "spec", "template"));
  if (applied !== undefined) {
    const wanted = new Map(containersOf(at(applied.inputs, "spec", "template")).map((c) => [c.name, c.image]));
    return running.some(({ name, image }) => wanted.has(name) && wanted.get(name) !== image);
  }
  const repository = (image: string) => image.replace(/[@].*$/, "").replace(/:[^:/]*$/, "");
  return running.some(
    ({ image }) => !given.includes(image) && given.some((other) => repository(other) === repository(image)),
  );
}

/** Written by the deployment controller on the ReplicaSets that it makes, growing with each new one. */
const REVISION = "deployment.kubernetes.io/revision";

/** The ReplicaSets that a Deployment keeps for a rollback, its present one first. */
export function revisionsOf(uid: string | undefined, replicaSets: readonly ReplicaSet[]): ReplicaSet[] {
  const revision = ({ metadata }: ReplicaSet) => Number(metadata?.annotations?.[REVISION] ?? 0);
  return replicaSets.filter((set) => isOwned(set.metadata, uid)).toSorted((a, b) => revision(b) - revision(a));
}

function keptOf({ live, replicaSets }: ObservedWorkload, running: string | undefined): string[] {
  const uid = at(live, "metadata", "uid");
  const sets = revisionsOf(typeof uid === "string" ? uid : undefined, replicaSets);
  const kept = sets.flatMap((set) => imagesOf(at(set, "spec", "template")).slice(0, 1));
  return [...new Set([...(running === undefined ? [] : [running]), ...kept])];
}
