import {
  asSecret,
  isMap,
  isSecret,
  reveal,
  UNKNOWN,
  UNKNOWN_TEXT,
  type Value,
  type WireMap,
  type WireValue,
} from "../common/wire.ts";
import { isObject, type KubernetesObject, withValue } from "./object.ts";

/** A resource's state: the object as the cluster had it, and what the plugin notes beside it. */
export interface Checkpoint {
  readonly inputs: KubernetesObject;
  readonly live: KubernetesObject;
  /** Who applies it. */
  readonly fieldManager: string | undefined;
  /** The API version that it was made in. */
  readonly initialApiVersion: string | undefined;
}

/**
 * The inputs that last served, with their marks, beside those of a Deployment that was applied and not seen to get ready;
 * empty where none ever served.
 */
const SERVED = "__served";

/** What a rollback goes back to. */
export interface Served {
  readonly inputs: KubernetesObject;
  /** As the state has them, with their marks. */
  readonly marked: WireMap;
  /** Whether they are what was applied last. */
  readonly isLast: boolean;
}

/** What last served by a state; undefined where nothing did yet. */
export function servedOf(state: WireMap): Served | undefined {
  if (state[SERVED] === undefined) return inputsOf(state);
  const marked = opened(state[SERVED]);
  return Object.keys(marked).length === 0 ? undefined : { inputs: objectOf(marked), marked, isLast: false };
}

/** What was applied last, where that serves. */
export function inputsOf(state: WireMap): Served | undefined {
  const marked = opened(state[INPUTS]);
  return Object.keys(marked).length === 0 ? undefined : { inputs: objectOf(marked), marked, isLast: true };
}

/** The state of a Deployment that is not ready, which keeps what last served; of other kinds nothing is put back. */
export function keptServed(state: WireMap, served: Served | undefined): WireMap {
  return state.kind === "Deployment" ? { ...state, [SERVED]: served?.marked ?? {} } : state;
}

function opened(value: WireValue | undefined): WireMap {
  const inner = isSecret(value) ? value.value : value;
  return isMap(inner) ? inner : {};
}

const INPUTS = "__inputs";
const MANAGER = "__fieldManager";
const VERSION = "__initialApiVersion";

/** Keys of a CustomResourceDefinition's schema that Pulumi's SDKs write with underscores. */
const DASHED = [
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-list-type",
  "x-kubernetes-map-type",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-validations",
];
const TO_DASHES = new Map(DASHED.map((key) => [key.replaceAll("-", "_"), key]));
const TO_UNDERSCORES = new Map(DASHED.map((key) => [key, key.replaceAll("-", "_")]));

/** A message's properties as an object of the API, secrets opened. */
export function objectOf(map: WireMap): KubernetesObject {
  const value = renamed(reveal(map), TO_DASHES);
  return isObject(value) ? value : {};
}

function renamed(value: Value, names: ReadonlyMap<string, string>): Value {
  if (Array.isArray(value)) return value.map((item) => renamed(item, names));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [names.get(key) ?? key, renamed(item, names)]));
}

/** Opens a state. */
export function parseCheckpoint(state: WireMap): Checkpoint {
  const { [INPUTS]: inputs, [MANAGER]: manager, [VERSION]: version, [SERVED]: _, ...live } = state;
  const text = (value: WireValue | undefined) => {
    const plain = reveal(value);
    return typeof plain === "string" && plain !== "" ? plain : undefined;
  };
  return {
    inputs: objectOf(opened(inputs)),
    live: objectOf(live),
    fieldManager: text(manager),
    initialApiVersion: text(version),
  };
}

/**
 * A state, in which what was secret in the inputs stays secret.
 * @param marked the inputs as the engine sent them, with their marks
 */
export function writeCheckpoint(
  { inputs, live, fieldManager, initialApiVersion }: Checkpoint,
  marked: WireMap,
): WireMap {
  // Who manages which field is read anew where it counts, and is as long as all the rest.
  const kept = withValue(live, ["metadata", "managedFields"], undefined);
  return {
    ...withSecrets(kept, marked),
    [INPUTS]: withSecrets(inputs, marked),
    ...(fieldManager === undefined ? {} : { [MANAGER]: fieldManager }),
    ...(initialApiVersion === undefined ? {} : { [VERSION]: initialApiVersion }),
  };
}

/**
 * An object as a message, secret where the inputs were. Maps are followed; where a list holds a secret all of it is one, since
 * its order may change. A Secret's contents always are.
 */
export function withSecrets(object: KubernetesObject, marked: WireMap): WireMap {
  const wire = toWire(renamed(object, TO_UNDERSCORES));
  if (!isMap(wire)) return {};
  annotate(wire, marked);
  return wire;
}

function toWire(value: Value): WireValue {
  if (value === UNKNOWN) return UNKNOWN_TEXT;
  if (Array.isArray(value)) return value.map(toWire);
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toWire(item)]));
  return value as WireValue;
}

function annotate(out: WireMap, marked: WireMap): void {
  if (out.kind === "Secret") {
    for (const key of ["data", "stringData"]) if (out[key] !== undefined) out[key] = asSecret(out[key]);
    annotateMap(out, marked, ["data", "stringData"]);
    return;
  }
  annotateMap(out, marked, []);
}

function annotateMap(out: WireMap, marked: WireMap, done: readonly string[]): void {
  for (const [key, mark] of Object.entries(marked)) {
    const value = out[key];
    if (value === undefined || isSecret(value) || done.includes(key)) continue;
    if (isMap(value) && isMap(mark) && !isSecret(mark)) annotate(value, mark);
    else if (holdsSecret(mark)) out[key] = asSecret(value);
  }
}

function holdsSecret(value: WireValue): boolean {
  if (isSecret(value)) return true;
  if (Array.isArray(value)) return value.some(holdsSecret);
  return isMap(value) && Object.values(value).some(holdsSecret);
}

/**
 * Every secret text of some inputs, as it stands and as a Secret holds it, longest first: what no message may show. What stands in
 * the object's own name is none: a database's user is called as the database.
 */
export function secretTexts(map: WireMap): string[] {
  const found = new Set<string>();
  const collect = (value: WireValue, isHidden: boolean): void => {
    if (isSecret(value)) collect(value.value, true);
    else if (Array.isArray(value)) for (const item of value) collect(item, isHidden);
    else if (isMap(value)) for (const item of Object.values(value)) collect(item, isHidden);
    else if (isHidden && typeof value === "string") for (const text of forms(value)) found.add(text);
  };
  const isSecretObject = map.kind === "Secret";
  for (const [key, value] of Object.entries(map))
    collect(value, isSecretObject && (key === "data" || key === "stringData"));
  const { name, namespace } = isMap(map.metadata) ? map.metadata : {};
  return [...found]
    .filter((text) => ![name, namespace].some((shown) => typeof shown === "string" && shown.includes(text)))
    .toSorted((a, b) => b.length - a.length);
}

/** A secret as it stands, and as it is before and after base64; what is too short to be one would blot out messages. */
function forms(text: string): string[] {
  const all = [text, Buffer.from(text).toString("base64"), Buffer.from(text, "base64").toString()];
  return all.filter((form) => form.length >= 4);
}

/** A message without secret texts. */
export function redact(message: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) => text.replaceAll(secret, "[secret]"), message);
}
