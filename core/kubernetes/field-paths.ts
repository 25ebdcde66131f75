import { at } from "./applied.ts";

/** A field's place in a field set (FieldsV1, structured-merge-diff): `f:` a field, `k:` an item by its keys, `v:` by its value. */
export type FieldPath = readonly string[];

/** All fields of a field set. */
export function fieldPaths(fields: unknown, path: FieldPath = []): FieldPath[] {
  if (typeof fields !== "object" || fields === null) return [];
  return Object.entries(fields).flatMap(([key, inner]) => {
    // The item itself, whatever its fields are.
    if (key === ".") return [];
    const deeper = fieldPaths(inner, [...path, key]);
    return deeper.length > 0 || Object.keys(inner ?? {}).length > 0 ? deeper : [[...path, key]];
  });
}

/** What an object has there. */
export function fieldAt(value: unknown, [key, ...rest]: FieldPath): unknown {
  if (key === undefined) return value;
  if (key.startsWith("f:")) return fieldAt(at(value, key.slice(2)), rest);
  if (!Array.isArray(value)) return undefined;
  const wanted: unknown = JSON.parse(key.slice(2));
  if (key.startsWith("v:")) return value.find((item) => item === wanted);
  const keys = Object.entries(wanted as Readonly<Record<string, unknown>>);
  // A key that the applied item leaves out has the API's default.
  const found = value.filter((item) => keys.every(([k, v]) => [undefined, v].includes(at(item, k))));
  return found.map((item) => fieldAt(item, rest)).find((inner) => inner !== undefined);
}

/** @example showField(["f:spec", "f:containers", 'k:{"name":"app"}', "f:image"]) // '.spec.containers[name="app"].image' */
export function showField(path: FieldPath): string {
  return path
    .map((key) => {
      const text = key.slice(2);
      if (key.startsWith("f:")) return /^[\w-]+$/.test(text) ? `.${text}` : `[${JSON.stringify(text)}]`;
      if (!key.startsWith("k:")) return `[${text}]`;
      const keys = Object.entries(JSON.parse(text) as Readonly<Record<string, unknown>>);
      return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(",")}]`;
    })
    .join("");
}
