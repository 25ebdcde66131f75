import { parseAllDocuments } from "yaml";

/**
 * Names of what a release's manifest holds, by kind and version, as the official plugin has them.
 * @example resourceNames(manifest) // { "Deployment.apps/apps/v1": ["web"], "Service/v1": ["web"] }
 */
export function resourceNames(manifest: string): Record<string, string[]> {
  const names = new Map<string, Set<string>>();
  for (const document of parseAllDocuments(manifest)) {
    const object: unknown = document.toJS();
    if (typeof object !== "object" || object === null) continue;
    const {
      apiVersion,
      kind,
      metadata = {},
    } = object as {
      apiVersion?: string;
      kind?: string;
      metadata?: { name?: string; namespace?: string };
    };
    if (apiVersion === undefined || kind === undefined) continue;
    const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[0]}` : "";
    const key = `${kind}${group}/${apiVersion}`;
    const name = metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
    names.set(key, (names.get(key) ?? new Set()).add(name ?? ""));
  }
  return Object.fromEntries([...names].map(([key, found]) => [key, [...found].toSorted()]));
}
