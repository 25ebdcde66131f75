import type { PlaceStatus } from "../core/host-status.ts";
import { type AppliedDatabase, DATABASE, textOf } from "../core/kubernetes/applied.ts";
import type { ReplicaSet } from "../core/kubernetes/objects.ts";
import { judgeDeletion } from "../core/kubernetes/readiness.ts";
import { judgeWaitFor } from "../core/kubernetes/wait-for.ts";
import { shellWord } from "../core/kubernetes/words.ts";
import { workloadStatus } from "../core/kubernetes/workload-status.ts";
import type { KubernetesObject } from "../plugins/kubernetes/object.ts";
import { selectorOf, waiterOf } from "../plugins/kubernetes/waiters.ts";
import {
  type ClosedCluster,
  type ClusterWorkload,
  explained,
  type OpenCluster,
  workloadsOf,
} from "./cluster-session.ts";

/** Asks one cluster of a stack. */
export async function clusterStatus(
  { name, open }: ClosedCluster,
  stack: string,
): Promise<PlaceStatus & { readonly cluster: string }> {
  let cluster: OpenCluster | undefined;
  try {
    cluster = open();
    const own = cluster;
    const workloads = await workloadsOf(own);
    const looked = await Promise.all(workloads.map((workload) => look(own, workload)));
    const databases = await Promise.all((own.databases ?? []).map((database) => lookAtDatabase(own, database)));
    const services = [...looked, ...databases].map(({ status }) => status);
    const edited = workloads.filter(({ applied }, i) => applied !== undefined && isEdited(services[i]?.drift ?? []));
    const notes = [
      ...[...looked, ...databases].flatMap(({ troubles }) => troubles),
      ...(edited.length === 0
        ? []
        : [
            `back to what the stack says (${edited.map((w) => w.service).join(", ")}): npm run up -- -s ${shellWord(stack)} --refresh`,
          ]),
    ];
    return { cluster: name, services, notes, healthy: services.every(({ state }) => state === "ok") };
  } catch (failure) {
    const told = cluster === undefined ? failure : await explained(cluster, failure, "see what runs");
    const { message, fix } = told as Error & { fix?: string };
    const note = fix === undefined ? message : `${message}\n  fix: ${fix}`;
    return { cluster: name, services: [], notes: [note], healthy: false, unreachable: true };
  }
}

/** Whether a workload is not what was applied; one that does not get ready may be. */
function isEdited(drift: readonly string[]): boolean {
  return drift.some((what) => what !== "unhealthy");
}

/** CloudNativePG says by a condition whether its database serves. */
async function lookAtDatabase({ api }: OpenCluster, { namespace, name }: AppliedDatabase) {
  const live = await api.read({ ...DATABASE, namespace, name });
  const readiness = live === undefined ? undefined : judgeWaitFor(live, "condition=Ready");
  const drift = live === undefined ? ["missing"] : readiness?.verdict === "done" ? [] : ["unhealthy"];
  const image = textOf(live, "status", "image") || textOf(live, "spec", "imageName") || undefined;
  const state = drift.length === 0 ? ("ok" as const) : ("drift" as const);
  return {
    status: { service: name, state, image, drift, kept: [] },
    troubles: readiness?.verdict === "done" ? [] : (readiness?.troubles ?? []).map((trouble) => api.told(trouble)),
  };
}

async function look({ api }: OpenCluster, { service, kind, namespace, applied, given, live }: ClusterWorkload) {
  if (live === undefined) return { status: workloadStatus({ service, applied, given, replicaSets: [] }), troubles: [] };
  const query = { labelSelector: selectorOf(live) };
  const [replicaSets, readiness] = await Promise.all([
    kind === "Deployment" ? api.list({ apiVersion: "apps/v1", kind: "ReplicaSet" }, namespace, query) : [],
    waiterOf((applied?.inputs ?? {}) as KubernetesObject, live)?.observe(api, live),
  ]);
  const sets = replicaSets as ReplicaSet[];
  const status = workloadStatus({ service, applied, given, live, replicaSets: sets, readiness });
  if (readiness === undefined || readiness.verdict === "done") return { status, troubles: [] };
  const isGoing = textOf(live, "metadata", "deletionTimestamp") !== "";
  const troubles = isGoing ? judgeDeletion({ ...live, kind }).troubles : readiness.troubles;
  const told = troubles.map((trouble) => api.told(trouble));
  return { status, troubles: told.length > 0 ? told : [`${service}: ${readiness.progress}`] };
}
