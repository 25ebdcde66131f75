import { resourcesOn, type StateResource, textOf } from "./applied.ts";

/** An object by which a cluster is known again: the API server gives each a uid that no other ever has. */
export interface Anchor {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** One may have been deleted by hand; all of them at once are not. */
const COUNT = 3;

/** Objects that a stack's state has on a cluster, namespaces first. @param cluster the name of its provider */
export function anchorsOf(cluster: string, resources: readonly StateResource[]): Anchor[] {
  return resourcesOn(cluster, resources)
    .map(({ outputs = {} }) => ({
      apiVersion: textOf(outputs, "apiVersion"),
      kind: textOf(outputs, "kind"),
      namespace: textOf(outputs, "metadata", "namespace"),
      name: textOf(outputs, "metadata", "name"),
      uid: textOf(outputs, "metadata", "uid"),
    }))
    .filter(({ apiVersion, kind, name, uid }) => apiVersion !== "" && kind !== "" && name !== "" && uid !== "")
    .toSorted((a, b) => Number(b.kind === "Namespace") - Number(a.kind === "Namespace"))
    .slice(0, COUNT);
}
