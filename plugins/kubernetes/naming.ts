import { createHash, randomBytes } from "node:crypto";
import { UNKNOWN } from "../common/wire.ts";
import { ANNOTATION, annotationOf, isObject, type KubernetesObject, nameOf, valueAt, withValue } from "./object.ts";

/** What a name is made of where the program gives none. */
export interface NameSource {
  /** The resource's own name in the program. */
  readonly resource: string;
  /** The engine's random bytes: the same of a preview and of the update that follows; empty: new ones. */
  readonly seed: Uint8Array;
  /** The name that the engine wants, where it has a rule of its own. */
  readonly proposed?: string;
}

/** Hexadecimal digits after a made-up name, as in all of Pulumi. */
const DIGITS = 8;

/** True for an object whose name was made up, so that the next one may have another. */
export function isAutonamed(object: KubernetesObject): boolean {
  return annotationOf(object, ANNOTATION.autonamed) === "true";
}

/** True for an object that has a name, or will have one that nobody knows yet. */
export function isNamed(object: KubernetesObject): boolean {
  const metadata = object.metadata;
  return metadata === UNKNOWN || valueAt(object, "metadata", "name") === UNKNOWN || nameOf(object) !== "";
}

/** The inputs with a name: their own, else that of the object before where it was made up, else a new one. */
export function named(inputs: KubernetesObject, before: KubernetesObject, source: NameSource): KubernetesObject {
  if (isNamed(inputs)) return inputs;
  const isThere = nameOf(before) !== "" || Object.keys(before).length > 0;
  if (isThere && !isAutonamed(before)) return inputs;
  const name = isThere ? nameOf(before) : (source.proposed ?? `${source.resource}-${digits(source.seed)}`);
  return withAutonamed(withValue(inputs, ["metadata", "name"], name));
}

function withAutonamed(object: KubernetesObject): KubernetesObject {
  const annotations = valueAt(object, "metadata", "annotations");
  if (annotations !== undefined && !isObject(annotations)) return object; // not known yet
  return withValue(object, ["metadata", "annotations", ANNOTATION.autonamed], "true");
}

/** Who a server-side apply is by. @example "pulumi-kubernetes-5d8f7c21" */
export function fieldManager(inputs: KubernetesObject, before: string | undefined): string {
  return (
    annotationOf(inputs, ANNOTATION.patchFieldManager) || before || `pulumi-kubernetes-${digits(new Uint8Array())}`
  );
}

/** The digits of a made-up name; without a seed other ones each time. */
export function digits(seed: Uint8Array): string {
  const bytes = seed.length === 0 ? randomBytes(DIGITS) : createHash("sha256").update(seed).digest();
  return bytes.toString("hex").slice(0, DIGITS);
}
