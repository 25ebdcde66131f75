import { type KubernetesObject, kindOf, valueAt } from "./object.ts";

/** Which objects may change in place that otherwise are made anew. */
export interface Mutable {
  readonly configMaps: boolean;
  readonly secrets: boolean;
}

const SELECTOR = ["spec.selector"];

/** Fields that the API server does not let anybody change, as the official plugin has them: by `group/kind`. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  "apps/Deployment": SELECTOR,
  "apps/DaemonSet": SELECTOR,
  "apps/StatefulSet": [
    "spec.podManagementPolicy",
    "spec.revisionHistoryLimit",
    "spec.selector",
    "spec.serviceName",
    "spec.volumeClaimTemplates",
  ],
  "batch/Job": ["spec.completions", "spec.parallelism", "spec.selector", "spec.template"],
  "/PersistentVolumeClaim": ["spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"],
  "/ResourceQuota": ["spec.scopes"],
  "/Service": ["spec.clusterIP"],
  "/Secret": ["type"],
  "rbac.authorization.k8s.io/RoleBinding": ["roleRef"],
  "rbac.authorization.k8s.io/ClusterRoleBinding": ["roleRef"],
  "storage.k8s.io/StorageClass": ["parameters", "provisioner"],
  "/Pod": [
    ...["affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostAliases"],
    ...["hostIPC", "hostNetwork", "hostPID", "hostname", "imagePullSecrets", "nodeName", "nodeSelector", "overhead"],
    ...["preemptionPolicy", "priority", "priorityClassName", "readinessGates", "restartPolicy", "runtimeClassName"],
    ...["schedulerName", "securityContext", "serviceAccount", "serviceAccountName", "shareProcessNamespace"],
    ...["subdomain", "terminationGracePeriodSeconds", "volumes", "containers", "initContainers"],
  ].map((field) => `spec.${field}`),
};

/** Fields of which a change means a new object. */
export function immutableFields(object: KubernetesObject, mutable: Mutable): readonly string[] {
  const { apiVersion, kind } = kindOf(object);
  const group = apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
  const identity = ["metadata.name", "metadata.namespace"];
  const own = FIELDS[`${group}/${kind}`] ?? [];
  const isFixed = valueAt(object, "immutable") === true;
  if (apiVersion === "v1" && kind === "Secret" && (!mutable.secrets || isFixed))
    return [...identity, ...own, "stringData", "data"];
  if (apiVersion === "v1" && kind === "ConfigMap" && (!mutable.configMaps || isFixed))
    return [...identity, "binaryData", "data"];
  return [...identity, ...own];
}
