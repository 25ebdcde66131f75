import { createHash } from "node:crypto";
import type { ArtifactLock } from "./artifact.ts";
import { BOOTSTRAP_RECIPE, type Bootstrap } from "./base.ts";
import { type ContextEntry, entryLine, sortEntries } from "./context.ts";

/** JSON with sorted keys and nothing undefined: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) =>
    v !== null && typeof v === "object" && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : v,
  );
}

/** Hex sha256 of a text's UTF-8 bytes. */
export function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

/** Hex sha256 over a context's entries; the order in which they come does not matter. */
export function contextHash(entries: readonly ContextEntry[]): string {
  const hash = createHash("sha256");
  for (const entry of sortEntries(entries)) hash.update(`${entryLine(entry)}\n`);
  return hash.digest("hex");
}

/** Hex sha256 over what a lock puts before the build: names, bytes and platforms; where they come from does not matter. */
export function lockHash(lock: ArtifactLock): string {
  const lines = lock.artifacts.map((a) => canonicalJson([a.file, a.integrity, a.platform ?? null]));
  return sha256(lines.toSorted().join("\n"));
}

/** Hex sha256 over all that a bootstrapped base follows from. */
export function bootstrapHash({ suite, excludes, includes, packages }: Bootstrap): string {
  const { snapshot } = packages;
  const inputs = { recipe: BOOTSTRAP_RECIPE, suite, excludes, includes, snapshot, packages: lockHash(packages) };
  return sha256(canonicalJson(inputs));
}

/** Everything that one build sees. */
export interface BuildInputs {
  readonly dockerfile: string;
  readonly target?: string | undefined;
  readonly args: Readonly<Record<string, string>>;
  readonly context: readonly ContextEntry[];
  /** Name to hash: of a directory, of a lock, or the content hash of another image. */
  readonly contexts: Readonly<Record<string, string>>;
  /** Content hash of the base. */
  readonly base: string;
}

/**
 * The content hash of an image: equal hash, equal image. What is left out on purpose: registry, tags, annotations,
 * platforms, builder, time.
 */
export function imageContentHash(inputs: BuildInputs): string {
  return sha256(
    canonicalJson({
      scheme: 1,
      dockerfile: sha256(inputs.dockerfile),
      target: inputs.target ?? null,
      args: inputs.args,
      context: contextHash(inputs.context),
      contexts: inputs.contexts,
      base: inputs.base,
    }),
  );
}
