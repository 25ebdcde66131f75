import { isMap, isSecret, signatureOf, type WireMap, type WireValue } from "./wire.ts";

/** What became of a property. */
export type DiffKind = "add" | "delete" | "update";

/**
 * The differences between two versions of a resource's inputs, each at its own place.
 * @example diff({ environment: { A: "1" } }, { environment: { A: "2" } }) // Map { "environment.A" → "update" }
 */
export function diff(olds: WireMap, news: WireMap): Map<string, DiffKind> {
  const found = new Map<string, DiffKind>();
  compareMaps(olds, news, "", found);
  return found;
}

function compare(before: WireValue, after: WireValue, path: string, found: Map<string, DiffKind>): void {
  if (same(before, after)) return;
  if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, path, found);
  else if (isPlainMap(before) && isPlainMap(after)) compareMaps(before, after, path, found);
  else found.set(path, "update");
}

function compareMaps(before: WireMap, after: WireMap, path: string, found: Map<string, DiffKind>): void {
  for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted()) {
    const [was, is] = [before[key] ?? null, after[key] ?? null];
    const at = join(path, key);
    if (was === null && is === null) continue;
    if (was === null) found.set(at, "add");
    else if (is === null) found.set(at, "delete");
    else compare(was, is, at, found);
  }
}

function compareLists(
  before: readonly WireValue[],
  after: readonly WireValue[],
  path: string,
  found: Map<string, DiffKind>,
): void {
  for (let i = 0; i < Math.max(before.length, after.length); i++) {
    const [was, is] = [before[i], after[i]];
    if (was === undefined) found.set(`${path}[${i}]`, "add");
    else if (is === undefined) found.set(`${path}[${i}]`, "delete");
    else compare(was, is, `${path}[${i}]`, found);
  }
}

/** True for equal values, whatever the order of their keys. */
export function same(a: WireValue | undefined, b: WireValue | undefined): boolean {
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (!isMap(a)) return a === b;
  if (!isMap(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => same(a[key], b[key]));
}

/** Secrets, assets and archives change as a whole. */
function isPlainMap(value: WireValue): value is WireMap {
  return isMap(value) && !isSecret(value) && signatureOf(value) === undefined;
}

function join(path: string, key: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}
