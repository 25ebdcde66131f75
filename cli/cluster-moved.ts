import type { KubernetesConfig } from "../config/kubernetes.ts";
import { type Anchor, anchorsOf } from "../core/kubernetes/anchors.ts";
import { textOf } from "../core/kubernetes/applied.ts";
import type { Cluster } from "../plugins/kubernetes/cluster.ts";
import { clustersOf } from "./cluster-session.ts";
import { stackResources } from "./stack-state.ts";

/**
 * The clusters of a stack that have nothing of what its state says of them: they are others than before, or were made anew.
 * An `up` that does not look would say that all is unchanged there.
 */
export async function movedClusters(stack: string, kubernetes: KubernetesConfig): Promise<string[]> {
  const resources = await stackResources(stack);
  const clusters = await clustersOf(stack, kubernetes, resources);
  const moved = clusters.map(async ({ name, open }) => {
    const anchors = anchorsOf(name, resources);
    return anchors.length > 0 && (await isElsewhere(open().api, anchors)) ? [name] : [];
  });
  return (await Promise.all(moved)).flat().toSorted();
}

/** Whether a cluster has none of these objects; of one that does not answer, or not to everything, nobody knows. */
export async function isElsewhere(cluster: Pick<Cluster, "read">, anchors: readonly Anchor[]): Promise<boolean> {
  try {
    const found = await Promise.all(anchors.map((anchor) => cluster.read(anchor)));
    return found.every((live, i) => live === undefined || textOf(live, "metadata", "uid") !== anchors[i]?.uid);
  } catch {
    return false;
  }
}
