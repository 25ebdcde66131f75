import type { Value } from "../common/wire.ts";
import { isObject } from "./object.ts";

/** A property path's keys and positions. @example parsePath('metadata.labels["a.b"][0]') // ["metadata", "labels", "a.b", 0] */
export function parsePath(text: string): (string | number)[] {
  const parts = text.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g);
  return [...parts].map(([, quoted, position, key]) =>
    position !== undefined ? Number(position) : (quoted?.replace(/\\(.)/g, "$1") ?? key ?? ""),
  );
}

export function getAt(value: Value | undefined, path: readonly (string | number)[]): Value | undefined {
  return path.reduce<Value | undefined>((found, key) => {
    if (Array.isArray(found) && typeof key === "number") return found[key];
    return isObject(found) && typeof key === "string" ? found[key] : undefined;
  }, value);
}

/** The value with another one at a path, where that path is there; undefined takes it away. */
export function setAt(value: Value, path: readonly (string | number)[], replacement: Value | undefined): Value {
  const [key, ...rest] = path;
  if (Array.isArray(value) && typeof key === "number" && key < value.length)
    return value.map((item, i) =>
      i !== key ? item : rest.length === 0 ? (replacement ?? null) : setAt(item, rest, replacement),
    );
  if (!isObject(value) || typeof key !== "string") return value;
  const { [key]: before, ...others } = value;
  if (rest.length > 0) return before === undefined ? value : { ...value, [key]: setAt(before, rest, replacement) };
  return replacement === undefined ? others : { ...value, [key]: replacement };
}
