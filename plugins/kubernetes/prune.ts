import type { Value } from "../common/wire.ts";
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
