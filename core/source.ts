import type { ImageDefinition } from "./image.ts";

/** What a stack says of an image's source, `keelson:sources.<image>`; what it leaves out is as in the definition. */
export interface SourceWish {
  /** Relative to the project; may lead out of it. */
  readonly path: string;
  readonly package?: string | undefined;
  readonly binary?: string | undefined;
}

/** The context that a definition's source is. */
export const SOURCE_CONTEXT = "source";

/**
 * A definition with what a stack says of its source.
 * @example withSource(weft, { path: "../clawft", package: "clawft-cli" }).args // { PACKAGE: "clawft-cli", BINARY: "weft" }
 */
export function withSource(definition: ImageDefinition, wish: SourceWish | undefined): ImageDefinition {
  const own = definition.source?.cargo;
  if (own === undefined) return definition;
  const cargo = { path: own.path, package: wish?.package ?? own.package, binary: wish?.binary ?? own.binary };
  const args = { ...definition.args, PACKAGE: cargo.package, BINARY: cargo.binary };
  return { ...definition, source: { cargo }, args };
}
