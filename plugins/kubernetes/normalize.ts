import { canonicalQuantity } from "../../core/kubernetes/quantity.ts";
import { UNKNOWN, type Value } from "../common/wire.ts";
import { isObject, type KubernetesObject, kindOf, withValue } from "./object.ts";

/** What only the API server writes. */
const READ_ONLY = [
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "managedFields",
  "resourceVersion",
  "uid",
];
/** Maps of quantities, and quantities that stand alone, by their key, or by that and the one above it. */
const QUANTITIES = ["limits", "requests", "hard", "capacity", "overhead"];
const QUANTITY = ["sizeLimit", "averageValue", "target.value", "resourceFieldRef.divisor"];
/** Maps of quantities that only a LimitRange has. */
const BOUNDS = ["default", "defaultRequest", "min", "max", "maxLimitRequestRatio"];
/** Maps whose keys and texts are people's own. */
const FREE = ["annotations", "labels", "matchLabels", "data", "stringData", "binaryData", "nodeSelector", "parameters"];

/**
 * Inputs as the API server writes them back, so that what means the same is no difference: secret texts as base64,
 * quantities in their shortest form, without empty values and what only the server writes.
 */
export function normalize(object: KubernetesObject): KubernetesObject {
  const plain = isBuiltIn(object) ? builtIn(object) : object;
  return READ_ONLY.reduce((rest, key) => withValue(rest, ["metadata", key], undefined), plain);
}

/** Groups of Kubernetes' own API; those without a dot are all its own. */
const GROUPS = [
  ...["admissionregistration", "apiextensions", "apiregistration", "authentication", "authorization", "certificates"],
  ...["coordination", "discovery", "events", "flowcontrol.apiserver", "networking", "node", "rbac.authorization"],
  ...["resource", "scheduling", "storage"],
].map((name) => `${name}.k8s.io`);

/** True for kinds of Kubernetes itself: of others, and of charts' values, nobody knows what becomes of what is sent. */
export function isBuiltIn(object: KubernetesObject): boolean {
  const { apiVersion } = kindOf(object);
  const [group = "", version] = apiVersion.split("/");
  if (apiVersion === "") return false;
  return version === undefined || !group.includes(".") || GROUPS.includes(group);
}

function builtIn(object: KubernetesObject): KubernetesObject {
  const { apiVersion, kind } = kindOf(object);
  const cleaned = clean(object, "", kind === "LimitRange" ? [...QUANTITIES, ...BOUNDS] : QUANTITIES);
  if (apiVersion === "v1" && kind === "Secret") return secret(cleaned);
  if (kind === "CustomResourceDefinition") {
    const { status: _, ...rest } = cleaned;
    return rest;
  }
  return cleaned;
}

/** @param of the key that it stands under @param maps keys of maps of quantities */
function clean(object: KubernetesObject, of: string, maps: readonly string[]): KubernetesObject {
  return Object.fromEntries(
    Object.entries(object)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [key, FREE.includes(of) ? value : cleanValue(of, key, value, maps)]),
  );
}

function cleanValue(of: string, key: string, value: Value, maps: readonly string[]): Value {
  if (Array.isArray(value)) return value.map((item) => cleanValue(key, "", item, maps));
  if (isObject(value)) {
    const cleaned = clean(value, key, maps);
    if (!maps.includes(key)) return cleaned;
    return Object.fromEntries(Object.entries(cleaned).map(([name, amount]) => [name, quantity(amount)]));
  }
  return QUANTITY.includes(key) || QUANTITY.includes(`${of}.${key}`) ? quantity(value) : value;
}

function quantity(value: Value): Value {
  return typeof value === "string" || typeof value === "number" ? canonicalQuantity(value) : value;
}

/** The server writes `stringData` into `data`, over what is there, and encodes `data` anew. */
function secret(object: KubernetesObject): KubernetesObject {
  const { stringData, data, ...rest } = object;
  if (stringData === UNKNOWN || data === UNKNOWN) return object;
  const encoded = Object.entries(isObject(data) ? data : {}).map(([key, value]) => [key, reencoded(value)]);
  const texts = Object.entries(isObject(stringData) ? stringData : {});
  const base64 = (value: Value) => (value === UNKNOWN ? value : Buffer.from(String(value)).toString("base64"));
  const written = texts.map(([key, value]) => [key, base64(value)]);
  if (encoded.length === 0 && written.length === 0) return data === undefined ? rest : { ...rest, data };
  return { ...rest, data: Object.fromEntries([...encoded, ...written]) };
}

function reencoded(value: Value): Value {
  if (typeof value !== "string") return value;
  const compact = value.replace(/\s/g, "");
  // What is no base64 is left for the server to refuse.
  return Buffer.from(compact, "base64").toString("base64") === compact ? compact : value;
}
