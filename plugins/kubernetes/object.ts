import type { Value } from "../common/wire.ts";

/** An object of the Kubernetes API as JSON; in a preview parts of it may be unknown. */
export type KubernetesObject = { [key: string]: Value };

/** Annotations that say how keelson, as Pulumi's own plugin, treats an object. */
export const ANNOTATION = {
  autonamed: "pulumi.com/autonamed",
  skipAwait: "pulumi.com/skipAwait",
  waitFor: "pulumi.com/waitFor",
  timeoutSeconds: "pulumi.com/timeoutSeconds",
  replaceUnready: "pulumi.com/replaceUnready",
  patchForce: "pulumi.com/patchForce",
  patchFieldManager: "pulumi.com/patchFieldManager",
  deletionPropagation: "pulumi.com/deletionPropagationPolicy",
} as const;

/** Version and kind of an object. @example { apiVersion: "apps/v1", kind: "Deployment" } */
export interface ObjectKind {
  readonly apiVersion: string;
  readonly kind: string;
}

export function isObject(value: Value | undefined): value is KubernetesObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What stands at a path of keys. @example valueAt(object, "spec", "replicas") */
export function valueAt(object: KubernetesObject, ...path: readonly string[]): Value | undefined {
  let value: Value | undefined = object;
  for (const key of path) {
    if (!isObject(value)) return undefined;
    value = value[key];
  }
  return value;
}

/** The text at a path; empty where there is another value, or none. */
export function textAt(object: KubernetesObject, ...path: readonly string[]): string {
  const value = valueAt(object, ...path);
  return typeof value === "string" ? value : "";
}

/** The object with another value at a path; undefined takes it away. What is above it is made where it is missing. */
export function withValue(
  object: KubernetesObject,
  path: readonly string[],
  value: Value | undefined,
): KubernetesObject {
  const [key, ...rest] = path;
  if (key === undefined) return object;
  const { [key]: before, ...others } = object;
  if (rest.length > 0) {
    if (value === undefined && !isObject(before)) return object;
    return { ...object, [key]: withValue(isObject(before) ? before : {}, rest, value) };
  }
  return value === undefined ? others : { ...object, [key]: value };
}

export function kindOf(object: KubernetesObject): ObjectKind {
  return { apiVersion: textAt(object, "apiVersion"), kind: textAt(object, "kind") };
}

export function nameOf(object: KubernetesObject): string {
  return textAt(object, "metadata", "name");
}

/** Empty for what stands in no namespace. */
export function namespaceOf(object: KubernetesObject): string {
  return textAt(object, "metadata", "namespace");
}

export function annotationOf(object: KubernetesObject, key: string): string {
  return textAt(object, "metadata", "annotations", key);
}

/** A resource's id. @example idOf(object) // "shop/web-5d8f7c21" */
export function idOf(object: KubernetesObject): string {
  const namespace = namespaceOf(object);
  return namespace === "" ? nameOf(object) : `${namespace}/${nameOf(object)}`;
}

/** An id's parts; the namespace is empty where it has none. */
export function parseId(id: string): { readonly namespace: string; readonly name: string } {
  const [first = "", second] = id.split("/");
  return second === undefined ? { namespace: "", name: first } : { namespace: first, name: second };
}

/** How messages name an object. @example "Deployment shop/web" */
export function describeObject(object: KubernetesObject): string {
  return `${textAt(object, "kind")} ${idOf(object)}`;
}

/**
 * Version and kind of a type token.
 * @example kindOfToken("kubernetes:apps/v1:Deployment") // { apiVersion: "apps/v1", kind: "Deployment" }
 */
export function kindOfToken(token: string): ObjectKind {
  const [, group = "", kind = ""] = token.split(":");
  return { apiVersion: group.startsWith("core/") ? group.slice("core/".length) : group, kind };
}
