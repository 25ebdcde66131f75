/** One entry of a layer, as a comparison sees it. */
export interface ComparedEntry {
  readonly path: string;
  readonly kind: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Bytes; 0 for all but files. */
  readonly size: number;
  /** Of a file's bytes, hex. */
  readonly sha256?: string;
  /** Target of a link. */
  readonly link?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** One thing that differs: what, and how it is on either side; absent where a side lacks it. */
export interface Difference {
  /** @example "mtime", "config.Env.2" */
  readonly what: string;
  readonly values: readonly [string | undefined, string | undefined];
}

/** A path of a layer, with all that differs about it. */
export interface EntryDifference {
  readonly path: string;
  readonly differences: readonly Difference[];
}

/**
 * Compares two layers entry by entry.
 * @example
 * diffEntries(first, second)
 * // [{ path: "etc/built", differences: [{ what: "content", values: ["sha256:0a1b…", "sha256:9f8e…"] }] }]
 * @returns paths in order; empty where all entries are alike.
 */
export function diffEntries(a: readonly ComparedEntry[], b: readonly ComparedEntry[]): EntryDifference[] {
  const [left, right] = [byPath(a), byPath(b)];
  return [...new Set([...left.keys(), ...right.keys()])].toSorted().flatMap((path) => {
    const differences = diffEntry(left.get(path), right.get(path));
    return differences.length === 0 ? [] : [{ path, differences }];
  });
}

/** Whether two layers list their entries in another order. */
export function differsInOrder(a: readonly ComparedEntry[], b: readonly ComparedEntry[]): boolean {
  return a.length !== b.length || a.some((entry, i) => entry.path !== b[i]?.path);
}

/** An archive may name a path twice; unpackers take the last. */
function byPath(entries: readonly ComparedEntry[]): Map<string, ComparedEntry> {
  return new Map(entries.map((entry) => [entry.path, entry]));
}

function diffEntry(a: ComparedEntry | undefined, b: ComparedEntry | undefined): Difference[] {
  if (a === undefined || b === undefined) return [{ what: "presence", values: [a && describe(a), b && describe(b)] }];
  if (a.kind !== b.kind) return [{ what: "kind", values: [a.kind, b.kind] }];
  const aspects: readonly (readonly [string, (entry: ComparedEntry) => string | undefined])[] = [
    ["mode", (e) => e.mode.toString(8).padStart(4, "0")],
    ["owner", (e) => `${e.uid}:${e.gid}`],
    ["mtime", (e) => formatTime(e.mtime)],
    ["size", (e) => String(e.size)],
    ["content", (e) => (e.sha256 === undefined ? undefined : `sha256:${e.sha256}`)],
    ["link", (e) => e.link],
    ["attributes", (e) => JSON.stringify(Object.entries(e.attributes ?? {}).toSorted())],
  ];
  return aspects.flatMap(([what, of]) => {
    const values = [of(a), of(b)] as const;
    return values[0] === values[1] ? [] : [{ what, values }];
  });
}

function describe({ kind, size }: ComparedEntry): string {
  return kind === "file" ? `file of ${size} bytes` : kind;
}

/** Seconds since 1970 as ISO 8601; what is beyond its years, as the number. */
function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace(".000Z", "Z");
}

/**
 * All leaves in which two JSON documents differ, by their path.
 * @example diffJson({ Env: ["A=1"] }, { Env: ["A=2"] }) // [{ what: "Env.0", values: ["A=1", "A=2"] }]
 */
export function diffJson(a: unknown, b: unknown, path = ""): Difference[] {
  if (isObject(a) && isObject(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    const sorted = Array.isArray(a) && Array.isArray(b) ? keys : keys.toSorted();
    return sorted.flatMap((key) => diffJson(a[key], b[key], path === "" ? key : `${path}.${key}`));
  }
  return a === b ? [] : [{ what: path, values: [show(a), show(b)] }];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function show(value: unknown): string | undefined {
  return value === undefined || typeof value === "string" ? value : JSON.stringify(value);
}
