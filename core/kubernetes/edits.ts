import { at } from "./applied.ts";

/** An entry of an object's `metadata.managedFields` (meta/v1). */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly fieldsV1?: unknown;
}

/** Fields that somebody else has set over what was applied. */
export interface Edit {
  readonly manager: string;
  /** Last names of their paths. @example ["image", "replicas"] */
  readonly fields: readonly string[];
}

/** Who makes an object with keelson's plugin or the official one, before the first change of it. */
const CREATOR = "pulumi-kubernetes";

/**
 * Who has changed by hand what a stack applied, and which fields: those that the applied object has and that its manager
 * holds no more. Fields that the stack never set, such as the time of a `kubectl rollout restart`, are nobody's drift.
 * @example editsOf(live.metadata.managedFields, inputs, "pulumi-kubernetes-1a2b3c4d") // [{ manager: "kubectl-set", fields: ["image"] }]
 */
export function editsOf(entries: readonly ManagedFields[], inputs: unknown, manager: string): Edit[] {
  const isOwn = (entry: ManagedFields) => entry.manager === manager || entry.manager === CREATOR;
  const held = new Set(entries.filter(isOwn).flatMap((entry) => leaves(entry.fieldsV1).map((path) => path.join("\n"))));
  const found = new Map<string, Set<string>>();
  for (const entry of entries.filter((other) => !isOwn(other) && other.subresource !== "status"))
    for (const path of leaves(entry.fieldsV1)) {
      if (held.has(path.join("\n")) || !has(inputs, path)) continue;
      const name = entry.manager ?? "(no name)";
      const field = path.findLast((key) => key.startsWith("f:"))?.slice(2) ?? "";
      found.set(name, (found.get(name) ?? new Set()).add(field));
    }
  return [...found]
    .map(([name, fields]) => ({ manager: name, fields: [...fields].toSorted() }))
    .toSorted((a, b) => (a.manager < b.manager ? -1 : 1));
}

/** Paths of a field set (FieldsV1, structured-merge-diff): `f:` a field, `k:` an item by its keys, `v:` by its value. */
function leaves(fields: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof fields !== "object" || fields === null) return [];
  return Object.entries(fields).flatMap(([key, inner]) => {
    // The item itself, whatever its fields are.
    if (key === ".") return [];
    const deeper = leaves(inner, [...path, key]);
    return deeper.length > 0 || Object.keys(inner ?? {}).length > 0 ? deeper : [[...path, key]];
  });
}

function has(value: unknown, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return value !== undefined;
  if (key.startsWith("f:")) return has(at(value, key.slice(2)), rest);
  if (!Array.isArray(value)) return false;
  const wanted: unknown = JSON.parse(key.slice(2));
  if (key.startsWith("v:")) return value.includes(wanted);
  const keys = Object.entries(wanted as Readonly<Record<string, unknown>>);
  // A key that the applied item leaves out has the API's default.
  return value.some((item) => keys.every(([k, v]) => [undefined, v].includes(at(item, k))) && has(item, rest));
}
