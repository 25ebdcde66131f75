import { isDeepStrictEqual } from "node:util";
import { type FieldPath, fieldAt, fieldPaths, showField } from "../../core/kubernetes/field-paths.ts";
import { isObject, type KubernetesObject, textAt, valueAt } from "./object.ts";

/** Managers whose fields are this stack's, or that gave them up to whoever applies next: as the official plugin has them. */
const PREDECESSORS: readonly { readonly prefix: string; readonly operation: "Apply" | "Update" }[] = [
  { prefix: "kubectl", operation: "Apply" },
  { prefix: "kubectl", operation: "Update" },
  { prefix: "before-first-apply", operation: "Update" },
  { prefix: "pulumi-kubernetes", operation: "Update" },
  { prefix: "pulumi-resource-kubernetes", operation: "Update" },
];

/** Who an object is created by; its first update takes the fields over (see {@link takeOver}). */
export const CREATOR = "pulumi-kubernetes";

/** Who has a Deployment's number of pods between this stack, which says none any more, and its autoscaler, which has said none yet. */
export const KEEPER = "keelson-replicas";

/** True for a manager that {@link takeOver} takes fields from. */
export function isPredecessor(manager: string): boolean {
  return PREDECESSORS.some(({ prefix }) => manager.startsWith(prefix));
}

/**
 * The JSON patch that makes an object's predecessors' fields those of the manager who applies from now on, so that it may
 * change them and take them away; undefined where there is nothing to take over.
 */
export function takeOver(live: KubernetesObject, manager: string): readonly unknown[] | undefined {
  const entries = entriesOf(live);
  const isOwn = (entry: KubernetesObject) => entry.manager === manager && entry.operation === "Apply";
  const own = entries.find(isOwn);
  const taken = entries.filter((entry) => !isOwn(entry) && isTaken(entry));
  const [first] = taken;
  if (first === undefined) return undefined;
  const fieldsV1 = [...(own === undefined ? [] : [own]), ...taken]
    .map((entry) => (isObject(entry.fieldsV1) ? entry.fieldsV1 : {}))
    .reduce(union);
  const merged = { ...(own ?? first), manager, operation: "Apply", fieldsV1 };
  const rest = entries.filter((entry) => !isOwn(entry) && !isTaken(entry));
  return [
    { op: "replace", path: "/metadata/managedFields", value: [...rest, merged] },
    // Only on the object that was looked at.
    { op: "replace", path: "/metadata/resourceVersion", value: textAt(live, "metadata", "resourceVersion") },
  ];
}

function isTaken(entry: KubernetesObject): boolean {
  if (entry.subresource !== undefined && entry.subresource !== "") return false;
  return PREDECESSORS.some(
    ({ prefix, operation }) => textAt(entry, "manager").startsWith(prefix) && entry.operation === operation,
  );
}

function union(a: KubernetesObject, b: KubernetesObject): KubernetesObject {
  const merged = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const before = merged[key];
    merged[key] = isObject(before) && isObject(value) ? union(before, value) : value;
  }
  return merged;
}

/** True for an object that others than its predecessors manage nothing of, or that knows no managers at all. */
export function isUnmanaged(live: KubernetesObject): boolean {
  return entriesOf(live).length === 0;
}

/** Whether a field is somebody else's alone. @param path keys, without list positions */
export function isTheirs(live: KubernetesObject, manager: string, path: readonly string[]): boolean {
  const keys = path.map((key) => `f:${key}`);
  const has = (entry: KubernetesObject) => isObject(entry.fieldsV1) && valueAt(entry.fieldsV1, ...keys) !== undefined;
  const holders = entriesOf(live).filter(has);
  return holders.length > 0 && holders.every((entry) => entry.manager !== manager);
}

/** Whether a field is a manager's own, or of those that it takes over. @param path keys, without list positions */
export function isOwn(live: KubernetesObject, manager: string, path: readonly string[]): boolean {
  const keys = path.map((key) => `f:${key}`);
  const has = (entry: KubernetesObject) => isObject(entry.fieldsV1) && valueAt(entry.fieldsV1, ...keys) !== undefined;
  return entriesOf(live).some((entry) => has(entry) && (entry.manager === manager || isTaken(entry)));
}

/** At most so many fields of a manager are named; the rest is counted. */
const SHOWN = 8;

/**
 * What an apply by force takes from others: a line for each manager, with the fields that it had set and that are now something
 * else. What this stack's tools made under other names before is its own.
 * @param before the object as it was, with its managers
 * @param after as the server answered
 */
export function overruled(
  before: KubernetesObject,
  after: KubernetesObject,
  wanted: KubernetesObject,
  manager: string,
): string[] {
  const isTaken = (path: FieldPath) =>
    fieldAt(wanted, path) !== undefined && !isDeepStrictEqual(fieldAt(before, path), fieldAt(after, path));
  const found = new Map<string, Set<string>>();
  for (const entry of entriesOf(before).filter((other) => !isOurs(other, manager))) {
    const fields = fieldPaths(entry.fieldsV1).filter(isTaken).map(showField);
    const name = textAt(entry, "manager") || "(no name)";
    if (fields.length > 0) found.set(name, new Set([...(found.get(name) ?? []), ...fields]));
  }
  return [...found].map(([name, fields]) => {
    const more = fields.size - SHOWN;
    const shown = [...fields].toSorted().slice(0, SHOWN).join(", ");
    return `somebody else has changed it: ${name} set ${shown}${more > 0 ? ` and ${more} more` : ""}; the stack's own values go before that`;
  });
}

function isOurs(entry: KubernetesObject, manager: string): boolean {
  const name = textAt(entry, "manager");
  if (entry.subresource === "status" || [manager, KEEPER].includes(name)) return true;
  return (
    entry.operation === "Update" && /^(?:before-first-apply|pulumi-kubernetes|pulumi-resource-kubernetes)/.test(name)
  );
}

/** The managers that a conflict's message names. */
export function managersIn(causes: readonly { readonly message?: string }[]): string[] {
  return causes.flatMap(({ message }) => /conflict with "([^"]+)"/.exec(message ?? "")?.[1] ?? []);
}

function entriesOf(live: KubernetesObject): KubernetesObject[] {
  const entries = valueAt(live, "metadata", "managedFields");
  return Array.isArray(entries) ? entries.filter(isObject) : [];
}
