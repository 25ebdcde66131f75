import { parseAllDocuments } from "yaml";
import type { Value } from "../../common/wire.ts";
import { OutageError, RefusedError } from "../call.ts";
import type { Cluster } from "../cluster.ts";
import { differences } from "../diff.ts";
import { describeObject, isObject, type KubernetesObject, nameOf, textAt, valueAt, withValue } from "../object.ts";

/** Who asks what an apply would change; nothing is ever written by it. */
const ASKER = "keelson-drift";
/** What the server keeps of its own. */
const OWN = [["status"], ...["managedFields", "resourceVersion", "generation"].map((key) => ["metadata", key])];

/**
 * What of a release's manifest the cluster has no more as it stands there: what somebody changed or deleted by hand, and the next
 * `helm upgrade` puts back. Each object is applied to the server without being written, so that defaults are no difference.
 * What somebody added is left alone, as helm does; so is what can't be asked about.
 * @example await releaseDrift(manifest, "shop", cluster) // ["Deployment shop/web (spec.replicas)", "Service shop/web (deleted)"]
 */
export async function releaseDrift(manifest: string, namespace: string, cluster: Cluster): Promise<string[]> {
  const objects = parseAllDocuments(manifest)
    .map((document): unknown => document.toJS())
    .filter((object) => isObject(object as Value)) as KubernetesObject[];
  const scaled = new Set(objects.flatMap(scaledBy));
  const found = await Promise.all(objects.map((object) => driftOf(object, namespace, cluster, scaled)));
  return found.flat().toSorted();
}

async function driftOf(
  object: KubernetesObject,
  namespace: string,
  cluster: Cluster,
  scaled: ReadonlySet<string>,
): Promise<string[]> {
  const kind = { apiVersion: textAt(object, "apiVersion"), kind: textAt(object, "kind") };
  if (kind.kind === "" || nameOf(object) === "") return [];
  try {
    const address = await cluster.address(kind);
    if (address === undefined) return [];
    const place = textAt(object, "metadata", "namespace") || namespace;
    const wanted = address.namespaced ? withValue(object, ["metadata", "namespace"], place) : object;
    const live = await cluster.read({ ...kind, namespace: address.namespaced ? place : "", name: nameOf(object) });
    if (live === undefined) return [`${describeObject(wanted)} (deleted)`];
    const applied = await cluster.apply(wanted, { fieldManager: ASKER, dryRun: true, force: true });
    const changed = differences({ live: plain(live), inputs: plain(applied.object), immutable: [], ignored: [] })
      .map(({ path }) => path)
      // How many is the autoscaler's to say.
      .filter((path) => !(path === "spec.replicas" && scaled.has(`${kind.kind} ${nameOf(object)}`)));
    return changed.length === 0 ? [] : [`${describeObject(wanted)} (${changed.join(", ")})`];
  } catch (error) {
    if (error instanceof RefusedError || error instanceof OutageError) return [];
    throw error;
  }
}

function plain(object: KubernetesObject): KubernetesObject {
  return inOrder(OWN.reduce((rest, path) => withValue(rest, path, undefined), object)) as KubernetesObject;
}

/** Lists of what has names are sets to the server, whose order what was added changes. */
function inOrder(value: Value): Value {
  if (Array.isArray(value)) {
    const items = value.map(inOrder);
    const name = (item: Value) => (isObject(item) && typeof item.name === "string" ? item.name : undefined);
    if (items.some((item) => name(item) === undefined)) return items;
    return items.toSorted((a, b) => ((name(a) ?? "") < (name(b) ?? "") ? -1 : 1));
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, inOrder(inner)]));
}

/** What an autoscaler of the release scales. @example ["Deployment web"] */
function scaledBy(object: KubernetesObject): string[] {
  if (textAt(object, "kind") !== "HorizontalPodAutoscaler") return [];
  const target = valueAt(object, "spec", "scaleTargetRef");
  return isObject(target) ? [`${textAt(target, "kind")} ${nameOf({ metadata: target })}`] : [];
}
