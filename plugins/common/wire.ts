import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { SECRET, SIGNATURE } from "../../core/pulumi-secret.ts";

/** How an output is marked on the wire between engine and provider (Pulumi's resource property protocol). */
const OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
/** A file's or text's content as a value. */
export const ASSET = "c44067f5952c0a294b673a41bacd8c17";
/** A folder's, packed file's or map's content as a value. */
export const ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7";
/** What stands for an unknown value. */
export const UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A value that a preview can't know yet. */
export const UNKNOWN = Symbol("unknown");

export type Value = null | boolean | number | string | typeof UNKNOWN | Value[] | { [key: string]: Value };

/** Properties as the engine sent them, secrets opened, and the paths where secrets stood. */
export interface Properties {
  readonly values: { [key: string]: Value };
  /** Top-level keys below which there is a secret. */
  readonly secretKeys: ReadonlySet<string>;
}

/** Opens a message's properties. @example decode(request.getNews()).values.name */
export function decode(message: struct.Struct | undefined): Properties {
  const raw = message?.toJavaScript() ?? {};
  const secretKeys = new Set<string>();
  const values: { [key: string]: Value } = {};
  for (const [key, value] of Object.entries(raw)) {
    let secret = false;
    values[key] = open(value, () => {
      secret = true;
    });
    if (secret) secretKeys.add(key);
  }
  return { values, secretKeys };
}

/** Properties as a message; the named top-level keys are secrets as a whole. */
export function encode(values: Readonly<Record<string, unknown>>, secretKeys?: ReadonlySet<string>): struct.Struct {
  const wire: Record<string, struct.JavaScriptValue> = {};
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) continue;
    wire[key] = secretKeys?.has(key) ? { [SIGNATURE]: SECRET, value: close(value) } : close(value);
  }
  return struct.Struct.fromJavaScript(wire);
}

/** A value as it stands in a message: secrets and unknown values are still marked. */
export type WireValue = struct.JavaScriptValue;
export type WireMap = { [key: string]: WireValue };

/** A message's properties as they stand in it. */
export function properties(message: struct.Struct | undefined): WireMap {
  return message?.toJavaScript() ?? {};
}

/** A value without its marks: secrets opened, unknown ones {@link UNKNOWN}. */
export function reveal(value: WireValue | undefined): Value {
  return value === undefined ? null : open(value, () => {});
}

/** True for a value that is marked as a secret as a whole. */
export function isSecret(value: WireValue | undefined): value is { value: WireValue } {
  return isMap(value) && value[SIGNATURE] === SECRET;
}

/** Marks a value as a secret, once. */
export function asSecret(value: WireValue): WireValue {
  return isSecret(value) ? value : { [SIGNATURE]: SECRET, value };
}

/** The mark of an asset's or archive's kind, such as {@link ASSET}; undefined for other values. */
export function signatureOf(value: WireValue | undefined): WireValue | undefined {
  return isMap(value) ? value[SIGNATURE] : undefined;
}

/** An asset or archive of a file, or what else Pulumi marks by a signature. */
export function signed(signature: string, content: WireMap): WireMap {
  return { [SIGNATURE]: signature, ...content };
}

export function isMap(value: unknown): value is WireMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** True when a value is, or holds, one that a preview can't know. */
export function holdsUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (Array.isArray(value)) return value.some(holdsUnknown);
  return typeof value === "object" && value !== null && Object.values(value).some(holdsUnknown);
}

function open(value: unknown, onSecret: () => void): Value {
  if (value === UNKNOWN_TEXT) return UNKNOWN;
  if (Array.isArray(value)) return value.map((item) => open(item, onSecret));
  if (typeof value !== "object" || value === null) return value as Value;
  const map = value as Record<string, unknown>;
  if (map[SIGNATURE] === SECRET) {
    onSecret();
    return open(map.value, onSecret);
  }
  if (map[SIGNATURE] === OUTPUT) {
    if (map.secret === true) onSecret();
    return "value" in map ? open(map.value, onSecret) : UNKNOWN;
  }
  return Object.fromEntries(Object.entries(map).map(([key, item]) => [key, open(item, onSecret)]));
}

function close(value: unknown): struct.JavaScriptValue {
  if (value === UNKNOWN) return UNKNOWN_TEXT;
  if (Array.isArray(value)) return value.map(close);
  if (typeof value !== "object" || value === null) return value as struct.JavaScriptValue;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, close(item)]));
}
