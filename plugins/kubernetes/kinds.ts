import type { ObjectKind } from "./object.ts";

/** How a kind is addressed. @example { plural: "deployments", namespaced: true } */
export interface KindAddress {
  readonly plural: string;
  readonly namespaced: boolean;
}

/** Kinds of Kubernetes' own that need no question to the API server: those of the reference of v1.34, by version. */
const NAMESPACED: Readonly<Record<string, readonly string[]>> = {
  v1: [
    ...["ConfigMap", "Endpoints", "Event", "LimitRange", "PersistentVolumeClaim", "Pod", "PodTemplate"],
    ...["ReplicationController", "ResourceQuota", "Secret", "Service", "ServiceAccount"],
  ],
  "apps/v1": ["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
  "batch/v1": ["CronJob", "Job"],
  "autoscaling/v1": ["HorizontalPodAutoscaler"],
  "autoscaling/v2": ["HorizontalPodAutoscaler"],
  "policy/v1": ["PodDisruptionBudget"],
  "networking.k8s.io/v1": ["Ingress", "NetworkPolicy"],
  "rbac.authorization.k8s.io/v1": ["Role", "RoleBinding"],
  "coordination.k8s.io/v1": ["Lease"],
  "discovery.k8s.io/v1": ["EndpointSlice"],
};
const CLUSTERED: Readonly<Record<string, readonly string[]>> = {
  v1: ["Namespace", "Node", "PersistentVolume"],
  "networking.k8s.io/v1": ["IngressClass"],
  "rbac.authorization.k8s.io/v1": ["ClusterRole", "ClusterRoleBinding"],
  "storage.k8s.io/v1": ["StorageClass", "CSIDriver", "CSINode", "VolumeAttachment"],
  "scheduling.k8s.io/v1": ["PriorityClass"],
  "apiextensions.k8s.io/v1": ["CustomResourceDefinition"],
  "apiregistration.k8s.io/v1": ["APIService"],
  "admissionregistration.k8s.io/v1": ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
};

/** A kind's address, where it is known without asking. */
export function knownAddress({ apiVersion, kind }: ObjectKind): KindAddress | undefined {
  if (NAMESPACED[apiVersion]?.includes(kind)) return { plural: plural(kind), namespaced: true };
  if (CLUSTERED[apiVersion]?.includes(kind)) return { plural: plural(kind), namespaced: false };
  return undefined;
}

/** English plurals, which all of these have. */
function plural(kind: string): string {
  const word = kind.toLowerCase();
  if (word === "endpoints") return word;
  if (/(?:s|x|ch|sh)$/.test(word)) return `${word}es`;
  return word.endsWith("y") ? `${word.slice(0, -1)}ies` : `${word}s`;
}
