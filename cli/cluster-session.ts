import { clusterAccess } from "../config/cluster-login.ts";
import type { KubernetesConfig } from "../config/kubernetes.ts";
import { planClusters } from "../core/cluster-plan.ts";
import { UserError } from "../core/error.ts";
import {
  type AppliedDatabase,
  type AppliedRelease,
  type AppliedWorkload,
  appliedOn,
  databasesOn,
  type StateResource,
} from "../core/kubernetes/applied.ts";
import { hint } from "../core/lineage.ts";
import { Cluster } from "../plugins/kubernetes/cluster.ts";
import { annotationOf, type KubernetesObject, nameOf, namespaceOf } from "../plugins/kubernetes/object.ts";
import { readSettings, type Settings } from "../plugins/kubernetes/settings.ts";
import { projectRoot } from "../toolchain/home.ts";
import { stackResources } from "./stack-state.ts";

/** A cluster of a stack, with what the stack last applied there. */
export interface OpenCluster {
  readonly name: string;
  /** Minikube's, where it is one: its node has images that no registry has. */
  readonly profile?: string;
  readonly settings: Settings;
  readonly api: Cluster;
  /** Of CloudNativePG. Default: none. */
  readonly databases?: readonly AppliedDatabase[];
  readonly workloads: readonly AppliedWorkload[];
  readonly releases: readonly AppliedRelease[];
}

/** A workload as commands name it: by its own name, or with its namespace where two have it. */
export interface ClusterWorkload {
  readonly service: string;
  readonly kind: AppliedWorkload["kind"];
  readonly namespace: string;
  readonly name: string;
  readonly applied?: AppliedWorkload;
  /** By digest, what its chart was given. */
  readonly given?: readonly string[];
  readonly live: KubernetesObject | undefined;
}

/** A cluster of `keelson:kubernetes` with what the stack's state has there; nothing is asked of it yet. */
export interface ClosedCluster {
  readonly name: string;
  /** Whether the state has anything there. */
  readonly used: boolean;
  /** @throws UserError where its kubeconfig is not there or lacks the context */
  readonly open: () => OpenCluster;
}

/**
 * The clusters of a stack.
 * @param kubernetes `keelson:kubernetes` as it was read
 * @param known the stack's resources, by who has them already
 */
export async function clustersOf(
  stack: string,
  kubernetes: KubernetesConfig,
  known?: readonly StateResource[],
): Promise<ClosedCluster[]> {
  const { clusters } = planClusters(kubernetes, {}, new Map(), stack, "embedded");
  if (clusters.length === 0) return [];
  const resources = known ?? (await stackResources(stack));
  return clusters.map(({ name, place }) => {
    const applied = { ...appliedOn(name, resources), databases: databasesOn(name, resources) };
    const open = () => {
      const { kubeconfig = "", context = "" } = clusterAccess([{ name, place }], projectRoot()).get(name) ?? {};
      // As the stack's own provider: its fields are its own.
      const settings = readSettings({ kubeconfig, context, enablePatchForce: true }, {});
      const api = new Cluster(settings, new AbortController().signal);
      return { name, settings, api, ...applied, ...(place.kind === "minikube" && { profile: place.profile }) };
    };
    return { name, used: applied.workloads.length + applied.releases.length + applied.databases.length > 0, open };
  });
}

/** All workloads of the stack on a cluster, in the order of their names: applications, databases, and what its charts made. */
export async function workloadsOf({ api, workloads, releases }: OpenCluster): Promise<ClusterWorkload[]> {
  const own = workloads.map(async (applied) => {
    const { kind, namespace, name } = applied;
    const live = await api.read({ apiVersion: "apps/v1", kind, namespace, name });
    return { service: name, kind, namespace, name, applied, live };
  });
  const charts = releases.flatMap(({ name: release, namespace, images }) =>
    (["Deployment", "StatefulSet", "DaemonSet"] as const).map(async (kind) =>
      (await api.list({ apiVersion: "apps/v1", kind }, namespace))
        .filter((object) => annotationOf(object, "meta.helm.sh/release-name") === release)
        // Lists leave out what all of their items are.
        .map((object): KubernetesObject => ({ ...object, apiVersion: "apps/v1", kind }))
        .map((live) => ({ kind, namespace: namespaceOf(live), name: nameOf(live), given: images, live })),
    ),
  );
  // One promise: a server that is away refuses each of them.
  const all = (await Promise.all([...own, ...charts])).flat();
  return all
    .map((workload) => {
      const isAmbiguous = all.some((other) => other !== workload && other.name === workload.name);
      return { ...workload, service: isAmbiguous ? `${workload.namespace}/${workload.name}` : workload.name };
    })
    .toSorted((a, b) => (a.service < b.service ? -1 : 1));
}

/** The workload that a command is about. @throws UserError for a name that none has, and for one that is gone */
export async function findWorkload(
  cluster: OpenCluster,
  service: string,
): Promise<ClusterWorkload & { readonly live: KubernetesObject }> {
  const all = await workloadsOf(cluster);
  const found = all.find((one) => one.service === service || `${one.namespace}/${one.name}` === service);
  const names = all.map((one) => one.service);
  if (found === undefined)
    throw new UserError(
      `the stack runs no ${JSON.stringify(service)} on ${cluster.name}`,
      `name one of: ${names.join(", ") || "(there is none)"}${hint(service, names)}`,
    );
  if (found.live === undefined)
    throw new UserError(
      `${service} on ${cluster.name} is gone: somebody deleted it`,
      "run `npm run up -- --refresh`, with `-s STACK` where it is not dev",
    );
  return { ...found, live: found.live };
}

/** A failure of the API in words. */
export async function explained(cluster: OpenCluster, error: unknown, what: string): Promise<unknown> {
  return cluster.api.explained(error, { what, verb: "get", resource: "pods", namespace: "", name: "" });
}
