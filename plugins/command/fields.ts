import {
  ARCHIVE,
  ASSET,
  asSecret,
  isMap,
  isSecret,
  signatureOf,
  UNKNOWN_TEXT,
  type WireMap,
  type WireValue,
} from "../common/wire.ts";

/** Types as the official provider's messages name them, which are Go's. */
export type Kind =
  | "string"
  | "bool"
  | "float64"
  | "int"
  | "[]string"
  | "[]interface {}"
  | "map[string]string"
  | "asset or archive";

interface Leaf {
  readonly kind: Kind;
  readonly required?: true;
  readonly secret?: true;
  readonly fallback?: string | number;
}

interface Nested {
  readonly fields: Struct;
  readonly required?: true;
  readonly secret?: true;
}

/** What an object may hold. @example { name: "local.RunInputs", of: { command: { kind: "string", required: true } } } */
export interface Struct {
  readonly name: string;
  readonly of: Readonly<Record<string, Leaf | Nested>>;
}

/** Property and reason of something wrong with the inputs. */
export type Failure = readonly [property: string, reason: string];

const isUnknown = (value: WireValue): boolean => value === UNKNOWN_TEXT;
const isNested = (field: Leaf | Nested): field is Nested => "fields" in field;

/** All that is wrong with an object, in the official provider's words; unknown values are taken as right. */
export function findFailures(struct: Struct, values: WireMap): Failure[] {
  const failures: Failure[] = [];
  for (const [name, field] of Object.entries(struct.of)) {
    const value = bare(values[name]);
    if (value === undefined || value === null) {
      if (field.required) failures.push([name, `Missing required field '${name}' on '${struct.name}'`]);
    } else if (!isUnknown(value)) failures.push(...judge(struct, name, field, value));
  }
  for (const name of Object.keys(values))
    if (!(name in struct.of)) failures.push([name, `Unrecognized field '${name}' on '${struct.name}'`]);
  return failures;
}

/** Failures as one text, as a Create or Update says them. */
export function summary(failures: readonly Failure[]): string {
  const lines = failures.map(([property, reason]) => `\t${property}: ${reason}`);
  return `${failures.length} failures decoding:\n${lines.join("\n")}`;
}

/** The inputs as `Check` gives them back: without nulls, with defaults, secrets marked. */
export function prepare(struct: Struct, values: WireMap): WireMap {
  return walk(struct, values, true);
}

/** Marks what is always secret, and nothing more: for inputs that are wrong, and must not leak either. */
export function markSecrets(struct: Struct, values: WireMap): WireMap {
  return walk(struct, values, false);
}

function walk(struct: Struct, values: WireMap, complete: boolean): WireMap {
  const prepared: WireMap = {};
  for (const [name, value] of Object.entries(values)) {
    if (complete && value === null) continue;
    const field = struct.of[name];
    const inner = field !== undefined && isNested(field) ? enter(field.fields, value, complete) : value;
    prepared[name] = field?.secret === true ? asSecret(inner) : inner;
  }
  if (!complete) return prepared;
  for (const [name, field] of Object.entries(struct.of))
    if (!isNested(field) && field.fallback !== undefined) prepared[name] ??= field.fallback;
  return prepared;
}

function enter(struct: Struct, value: WireValue, complete: boolean): WireValue {
  if (isSecret(value)) return asSecret(enter(struct, value.value, complete));
  return isMap(value) ? walk(struct, value, complete) : value;
}

function bare(value: WireValue | undefined): WireValue | undefined {
  return isSecret(value) ? bare(value.value) : value;
}

function judge(struct: Struct, name: string, field: Leaf | Nested, value: WireValue): Failure[] {
  const short = struct.name.slice(struct.name.indexOf(".") + 1);
  if (isNested(field)) {
    if (!isMap(value)) return [mismatch(struct, name, `*${field.fields.name}`, value)];
    const inner = findFailures(field.fields, value);
    return inner.length === 0 ? [] : [[name, `An error occurred decoding '${short}.${name}': ${summary(inner)}`]];
  }
  const { kind } = field;
  if (kind === "asset or archive") return [];
  if (kind === "[]string" || kind === "[]interface {}") {
    if (!Array.isArray(value)) return [mismatch(struct, name, kind, value)];
    return kind === "[]string" ? value.flatMap((item, i) => text(struct, `${name}[${i}]`, item)) : [];
  }
  if (kind === "map[string]string") {
    if (!isMap(value)) return [mismatch(struct, name, kind, value)];
    return Object.entries(value).flatMap(([key, item]) => text(struct, `${name}[${key}] value`, item));
  }
  if (isMap(value)) {
    const why = `Cannot decode Object{} to type ${kind}; it isn't a struct, and no custom decoder exists`;
    return [[name, `An error occurred decoding '${short}.${name}': ${why}`]];
  }
  const wanted = kind === "int" || kind === "float64" ? "float64" : kind;
  return goType(value) === wanted ? [] : [mismatch(struct, name, kind, value)];
}

function text(struct: Struct, name: string, value: WireValue): Failure[] {
  const inner = bare(value) ?? null;
  return typeof inner === "string" ? [] : [mismatch(struct, name, "string", inner)];
}

function mismatch(struct: Struct, name: string, wanted: string, value: WireValue): Failure {
  return [name, `Field '${name}' on '${struct.name}' must be a '${wanted}'; got '${goType(value)}' instead`];
}

function goType(value: WireValue): string {
  if (value === null) return "<nil>";
  if (typeof value === "number") return "float64";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  return Array.isArray(value) ? "[]interface {}" : "map[string]interface {}";
}

/** What a copy's source is wrong about: it must be a file, a text, or an archive that lies in a file or folder. */
export function findSourceFailures(source: WireValue | undefined): Failure[] {
  const value = bare(source);
  const has = (key: string) => isMap(value) && typeof value[key] === "string" && value[key] !== "";
  if (signatureOf(value) === ASSET) {
    // An empty text is a text.
    const known = has("path") || (isMap(value) && typeof value.text === "string" && !has("uri"));
    return known ? [] : [["asset", "asset must be a path-based file asset or a text asset"]];
  }
  if (signatureOf(value) === ARCHIVE)
    return has("path") ? [] : [["archive", "archive must be a path to a file or directory"]];
  return [["asset", "either asset or archive must be set"]];
}
