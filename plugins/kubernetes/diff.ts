import type { DiffKind } from "../common/diff.ts";
import { holdsUnknown, UNKNOWN, type Value } from "../common/wire.ts";
import { isAutonamed } from "./naming.ts";
import { isBuiltIn } from "./normalize.ts";
import { isObject, type KubernetesObject, nameOf, namespaceOf, valueAt } from "./object.ts";

/** One difference. @example { path: "spec.replicas", kind: "update", replaces: false } */
export interface Difference {
  readonly path: string;
  readonly kind: DiffKind;
  /** Whether it calls for a new object. */
  readonly replaces: boolean;
}

export interface DiffQuestion {
  /** The object as the cluster has it, {@link prune}d to the inputs that it had. */
  readonly live: KubernetesObject;
  /** What is wanted now. */
  readonly inputs: KubernetesObject;
  /** Fields of which a change means a new object. */
  readonly immutable: readonly string[];
  /** Paths of which changes count for nothing. */
  readonly ignored: readonly string[];
}

/** Maps that the API server leaves out where they are empty. */
const OMITTED_EMPTY = [
  ...["annotations", "labels", "nodeSelector", "matchLabels", "data", "stringData", "binaryData"],
  ...["limits", "requests", "hard"],
];

/**
 * Where what is wanted differs from what the cluster has. What the cluster adds of its own is no difference, since the live
 * object speaks only of what its inputs spoke of.
 */
export function differences({ live, inputs, immutable, ignored }: DiffQuestion): Difference[] {
  const found: Difference[] = [];
  const isLenient = isBuiltIn(inputs);
  const record = (path: Path, kind: DiffKind, after: Value | undefined) => {
    const text = pathText(path);
    if (ignored.some((one) => covers(one, text))) return;
    found.push({ path: text, kind, replaces: immutable.some((field) => touches(field, path, after)) });
  };
  compareMaps(live, inputs, [], isLenient, record);
  return found.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/**
 * Whether the old object must go before the new one comes: they would have one name.
 * @param live the object as the cluster has it
 */
export function deletesFirst(found: readonly Difference[], live: KubernetesObject, inputs: KubernetesObject): boolean {
  return (
    found.some(({ replaces }) => replaces) &&
    !isAutonamed(inputs) &&
    valueAt(inputs, "metadata", "name") !== UNKNOWN &&
    nameOf(inputs) === nameOf(live) &&
    namespaceOf(inputs) === namespaceOf(live)
  );
}

type Path = readonly (string | number)[];
type Recorder = (path: Path, kind: DiffKind, after: Value | undefined) => void;

function compareMaps(
  before: KubernetesObject,
  after: KubernetesObject,
  path: Path,
  isLenient: boolean,
  record: Recorder,
): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
    compare(before[key], after[key], [...path, key], isLenient, record);
}

function compare(
  before: Value | undefined,
  after: Value | undefined,
  path: Path,
  isLenient: boolean,
  record: Recorder,
): void {
  const [was, is] = [isMissing(before, path, isLenient), isMissing(after, path, isLenient)];
  if (after === UNKNOWN) record(path, isAbsent(before) ? "add" : "update", after);
  else if (was || is) {
    if (was !== is) record(path, was ? "add" : "delete", after);
  } else if (isObject(before) && isObject(after)) compareMaps(before, after, path, isLenient, record);
  else if (Array.isArray(before) && Array.isArray(after)) {
    for (let i = 0; i < Math.max(before.length, after.length); i++)
      compare(before[i], after[i], [...path, i], isLenient, record);
  } else if (before !== after) record(path, "update", after);
}

function isAbsent(value: Value | undefined): boolean {
  return value === undefined || value === null;
}

/** True for a value that the API server writes as none. */
function isMissing(value: Value | undefined, path: Path, isLenient: boolean): boolean {
  if (isAbsent(value)) return true;
  if (!isLenient || holdsUnknown(value)) return false;
  if (Array.isArray(value)) return value.length === 0;
  const key = path.at(-1);
  return isObject(value) && Object.keys(value).length === 0 && typeof key === "string" && OMITTED_EMPTY.includes(key);
}

/** A path as Pulumi writes it. @example pathText(["metadata", "labels", "a.b/c", 0]) // 'metadata.labels["a.b/c"][0]' */
export function pathText(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    if (/[."[\]]/.test(key)) return `${text}["${key.replaceAll('"', '\\"')}"]`;
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

/** Whether a path that is ignored holds another. */
function covers(ignored: string, path: string): boolean {
  if (!path.startsWith(ignored)) return pattern(ignored).test(path);
  return path.length === ignored.length || ".[".includes(path.charAt(ignored.length));
}

/** `*` stands for any key or position. */
function pattern(ignored: string): RegExp {
  const escaped = ignored.replace(/[.+?^${}()|\\[\]]/g, "\\$&").replaceAll("*", "[^.\\[\\]]+");
  return new RegExp(`^${escaped}(?:[.[]|$)`);
}

/** Whether a change at a path touches an immutable field: below it, or above it with a value for it. */
function touches(field: string, path: Path, after: Value | undefined): boolean {
  const keys = field.split(".");
  const names = path.filter((key) => typeof key === "string");
  const shared = Math.min(keys.length, names.length);
  if (keys.slice(0, shared).some((key, i) => key !== names[i])) return false;
  if (names.length >= keys.length) return true;
  return isObject(after) && valueAt(after, ...keys.slice(names.length)) !== undefined;
}
