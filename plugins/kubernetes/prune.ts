import type { Value } from "../common/wire.ts";
import { isBuiltIn } from "./normalize.ts";
import { isObject, type KubernetesObject } from "./object.ts";

/**
 * Of an object as the cluster has it, what its inputs speak of: all else is the cluster's own.
 * @example prune({ spec: { replicas: 2, paused: false } }, { spec: { replicas: 1 } }) // { spec: { replicas: 2 } }
 */
export function prune(live: KubernetesObject, inputs: KubernetesObject): KubernetesObject {
  return Object.fromEntries(
    Object.entries(live).flatMap(([key, value]) => {
      const input = inputs[key];
      return input === undefined ? [] : [[key, pruneValue(value, input)]];
    }),
  );
}

function pruneValue(live: Value, input: Value): Value {
  if (isObject(live) && isObject(input)) return prune(live, input);
  // By position; what the cluster has beyond them is left aside.
  if (Array.isArray(live) && Array.isArray(input))
    return live.slice(0, input.length).map((item, i) => pruneValue(item, input[i] ?? null));
  return live;
}

/**
 * The live object with what the server left out of what it was given, since it means the same as nothing: `""`, 0 and false.
 * @param inputs that it was given; what is not asked for is not put in
 * @param before the live object as it was when it had them, where another one is looked at now: what it had is gone, and not left out
 * @example withOmitted({ spec: { replicas: 1 } }, { spec: { replicas: 1, paused: false } }) // the second
 */
export function withOmitted(
  live: KubernetesObject,
  inputs: KubernetesObject,
  before: KubernetesObject = live,
): KubernetesObject {
  if (!isBuiltIn(inputs)) return live;
  return fillMap(live, inputs, before);
}

function fillMap(live: KubernetesObject, inputs: KubernetesObject, before: KubernetesObject): KubernetesObject {
  const filled = { ...live };
  for (const [key, input] of Object.entries(inputs)) {
    const value = live[key];
    if (value !== undefined) filled[key] = fill(value, input, before[key]);
    else if (before[key] === undefined && isNothing(input)) filled[key] = input;
  }
  return filled;
}

function fill(live: Value, input: Value, before: Value | undefined): Value {
  if (isObject(live) && isObject(input)) return fillMap(live, input, isObject(before) ? before : live);
  if (Array.isArray(live) && Array.isArray(input))
    return live.map((item, i) => fill(item, input[i] ?? null, Array.isArray(before) ? before[i] : item));
  return live;
}

function isNothing(value: Value): boolean {
  return value === "" || value === 0 || value === false;
}
