import type { ImageDefinition } from "./image.ts";

/** What a stack says of an image's source, `keelson:sources.<image>`; what it leaves out is as in the definition. */
export interface SourceWish {
  /** Relative to the project; may lead out of it. */
  readonly path: string;
  /** Of a Cargo workspace. */
  readonly package?: string | undefined;
  readonly binary?: string | undefined;
  /** Of a Python application. */
  readonly app?: string | undefined;
}

/** Beside `path`, what a stack may say of each kind of source. */
export const SOURCE_OPTIONS = { cargo: ["package", "binary"], npm: [], python: ["app"] } as const;

/** Arguments that an image's OCI labels are made from, as its sources say them. */
export const SOURCE_LABELS = ["VERSION", "SOURCE", "DESCRIPTION"] as const;

export type SourceKind = keyof typeof SOURCE_OPTIONS;

/** The context that a definition's source is. */
export const SOURCE_CONTEXT = "source";

/**
 * A definition with what a stack says of its source.
 * @example withSource(weft, { path: "../clawft", package: "clawft-cli" }).args // { PACKAGE: "clawft-cli", BINARY: "weft" }
 */
export function withSource(definition: ImageDefinition, wish: SourceWish | undefined): ImageDefinition {
  const { source } = definition;
  if (source === undefined || "npm" in source) return definition;
  if ("python" in source) {
    const python = { ...source.python, app: wish?.app ?? source.python.app };
    return { ...definition, source: { python }, args: { ...definition.args, APP: python.app } };
  }
  const { path, ...own } = source.cargo;
  const binary = own.binary === undefined ? {} : { binary: wish?.binary ?? own.binary };
  const cargo = { path, package: wish?.package ?? own.package, ...binary };
  const args = { ...definition.args, PACKAGE: cargo.package, ...(binary.binary && { BINARY: binary.binary }) };
  return { ...definition, source: { cargo }, args };
}

/** Beside `path`, what a stack may say of a definition's source. */
export function sourceOptions(definition: ImageDefinition): readonly string[] {
  const { source } = definition;
  const kind = sourceOf(definition)?.kind;
  if (source === undefined || kind === undefined) return [];
  const isLibrary = "cargo" in source && source.cargo.binary === undefined;
  return SOURCE_OPTIONS[kind].filter((option) => !(isLibrary && option === "binary"));
}

/** The kind of a definition's source, and its folder. */
export function sourceOf({
  source,
}: ImageDefinition): { readonly kind: SourceKind; readonly path: string } | undefined {
  if (source === undefined) return undefined;
  if ("cargo" in source) return { kind: "cargo", path: source.cargo.path };
  return "npm" in source ? { kind: "npm", path: source.npm.path } : { kind: "python", path: source.python.path };
}
