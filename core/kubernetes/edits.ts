import { fieldAt, fieldPaths } from "./field-paths.ts";

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
  const held = new Set(
    entries.filter(isOwn).flatMap((entry) => fieldPaths(entry.fieldsV1).map((path) => path.join("\n"))),
  );
  const found = new Map<string, Set<string>>();
  for (const entry of entries.filter((other) => !isOwn(other) && other.subresource !== "status"))
    for (const path of fieldPaths(entry.fieldsV1)) {
      if (held.has(path.join("\n")) || fieldAt(inputs, path) === undefined) continue;
      const name = entry.manager ?? "(no name)";
      const field = path.findLast((key) => key.startsWith("f:"))?.slice(2) ?? "";
      found.set(name, (found.get(name) ?? new Set()).add(field));
    }
  return [...found]
    .map(([name, fields]) => ({ manager: name, fields: [...fields].toSorted() }))
    .toSorted((a, b) => (a.manager < b.manager ? -1 : 1));
}
