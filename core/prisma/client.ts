import semver from "semver";
import { entryOf, type PrismaBlock, textOf, textsOf } from "./schema.ts";

/** What a generated client needs beside its own code. */
export type PrismaEngine = "library" | "binary" | "none";

/** Providers of a generator that make a client; all others (diagrams, zod) need no engine. */
const CLIENTS = ["prisma-client-js", "prisma-client"];

export function makesClient(generator: PrismaBlock): boolean {
  return CLIENTS.includes(textOf(generator, "provider") ?? "");
}

/**
 * What the client of a generator needs, under a release of Prisma.
 * Since 7.0 none has an engine in Rust; `engineType = "client"` asks for that from 6.16 on, and the preview feature
 * `queryCompiler` from 6.7 on (Prisma's upgrade guide to 7, and its release notes).
 */
export function engineOf(generator: PrismaBlock, version: string): PrismaEngine {
  const type = textOf(generator, "engineType");
  const features = textsOf(entryOf(generator, "previewFeatures")?.value);
  if (semver.gte(version, "7.0.0") || type === "client" || features.includes("queryCompiler")) return "none";
  return type === "binary" ? "binary" : "library";
}

/**
 * The release that a range asks for at least; undefined for what says none, such as `latest` or a path, and for a range
 * without an end, such as `*` or `>=5`, under which any release may be installed.
 * @example leastVersion("^6.19.0") // "6.19.0"
 */
export function leastVersion(range: string): string | undefined {
  const valid = semver.validRange(range);
  if (valid === null || semver.satisfies(`${Number.MAX_SAFE_INTEGER}.0.0`, valid)) return undefined;
  return semver.minVersion(valid)?.version;
}
