/** A resource of `pulumi stack export`, as far as it is read. */
export interface StateResource {
  readonly type: string;
  /** URN and id of its provider. */
  readonly provider?: string | undefined;
  readonly inputs?: Readonly<Record<string, unknown>> | undefined;
  readonly outputs?: Readonly<Record<string, unknown>> | undefined;
}

/** A workload as the stack last applied it. */
export interface AppliedWorkload {
  readonly kind: "Deployment" | "StatefulSet" | "DaemonSet";
  readonly namespace: string;
  readonly name: string;
  /** Who its fields are managed by. @example "pulumi-kubernetes-1a2b3c4d" */
  readonly manager: string;
  /** What was applied, as the program had it. */
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** A chart's release as the stack last applied it. */
export interface AppliedRelease {
  readonly namespace: string;
  readonly name: string;
  /** By digest, wherever they stand in its values. */
  readonly images: readonly string[];
}

const WORKLOAD = /^kubernetes:apps\/v1:(Deployment|StatefulSet|DaemonSet)$/;

/** What of a stack's state is on a cluster. @param cluster the name of its provider */
export function resourcesOn(cluster: string, resources: readonly StateResource[]): StateResource[] {
  return resources.filter(({ provider }) => provider?.includes(`::pulumi:providers:kubernetes::${cluster}::`));
}

/** What a stack's state has on a cluster, in the order of their names. @param cluster the name of its provider */
export function appliedOn(
  cluster: string,
  resources: readonly StateResource[],
): { readonly workloads: readonly AppliedWorkload[]; readonly releases: readonly AppliedRelease[] } {
  const own = resourcesOn(cluster, resources);
  const workloads = own.flatMap(({ type, inputs = {}, outputs = {} }): AppliedWorkload[] => {
    const kind = WORKLOAD.exec(type)?.[1] as AppliedWorkload["kind"] | undefined;
    if (kind === undefined) return [];
    const [namespace, name] = [textOf(outputs, "metadata", "namespace"), textOf(outputs, "metadata", "name")];
    // After a rollback the engine still has the inputs that failed.
    const applied = (at(outputs, "__inputs", "kind") === kind ? at(outputs, "__inputs") : inputs) as typeof inputs;
    return [{ kind, namespace, name, manager: textOf(outputs, "__fieldManager"), inputs: applied }];
  });
  const releases = own
    .filter(({ type }) => type === "kubernetes:helm.sh/v3:Release")
    .map(({ inputs = {} }) => ({
      namespace: textOf(inputs, "namespace"),
      name: textOf(inputs, "name"),
      images: digestsIn(inputs.values),
    }));
  const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);
  return { workloads: workloads.toSorted(byName), releases: releases.toSorted(byName) };
}

/** A database that CloudNativePG keeps, as the stack last applied it. */
export interface AppliedDatabase {
  readonly namespace: string;
  readonly name: string;
}

/** CloudNativePG's kind of a database. */
export const DATABASE = { apiVersion: "postgresql.cnpg.io/v1", kind: "Cluster" } as const;

/** The databases of an operator that a stack's state has on a cluster, in the order of their names. */
export function databasesOn(cluster: string, resources: readonly StateResource[]): AppliedDatabase[] {
  return resourcesOn(cluster, resources)
    .filter(({ type }) => type === `kubernetes:${DATABASE.apiVersion}:${DATABASE.kind}`)
    .map(({ outputs = {} }) => ({
      namespace: textOf(outputs, "metadata", "namespace"),
      name: textOf(outputs, "metadata", "name"),
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** What stands at a path of keys, in anything; of a list a key is an index. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>)[key] : undefined),
    value,
  );
}

/** The text at a path; empty where there is none. */
export function textOf(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path);
  return typeof found === "string" ? found : "";
}

function digestsIn(values: unknown): string[] {
  const text = JSON.stringify(values) ?? "";
  return [...new Set([...text.matchAll(/"([^"\s]+@sha256:[0-9a-f]{64})"/g)].map(([, image = ""]) => image))].toSorted();
}
