import { readFileSync, statSync } from "node:fs";
import { isAbsolute, join, posix } from "node:path";
import { z } from "zod";
import type { Finding } from "../core/finding.ts";
import type { ImageDefinition } from "../core/image.ts";
import { hint } from "../core/lineage.ts";
import type { CatalogueContext } from "../core/plan.ts";
import { type SourceKind, type SourceWish, sourceOf, sourceOptions } from "../core/source.ts";
import type { SourceRevision } from "../core/tags.ts";
import { readSource } from "../toolchain/context.ts";
import { sourceRevision } from "./revision.ts";

/** `keelson:sources`: by image, the sources that it is built from in place of its own. */
export const sourcesSchema = z.record(
  z.string().min(1),
  z
    .object({
      path: z.string().regex(/[^/]/, "a folder of sources, relative to the project"),
      package: z
        .string()
        .regex(/^[A-Za-z0-9_-]+$/, "a Cargo package's name")
        .optional(),
      binary: z
        .string()
        .regex(/^[A-Za-z0-9_-]+$/, "a binary's name")
        .optional(),
      app: z
        .string()
        .regex(/^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$/, "an ASGI application such as todo.main:app")
        .optional(),
    })
    .strict(),
);

/** The keys of each object above, for hints. */
export const SOURCE_KEYS: readonly string[] = ["path", "package", "binary", "app"];

/** A definition's source, as its build sees it, and what is wrong with it. */
export interface ReadSource {
  readonly context: Extract<CatalogueContext, { kind: "source" }>;
  readonly findings: readonly Finding[];
  /** What sources say of themselves, for those of the definition's arguments that its labels are made from. */
  readonly args?: Readonly<Record<string, string>>;
  /** Of a stack's own sources, in a repository of their own. */
  readonly revision?: SourceRevision | undefined;
}

/**
 * Reads the sources of an image.
 * @param root the project
 * @param base what a stack's paths that lead out of the project are relative to; the project, unless `root` is a copy
 * @param definition with what the stack says of its source
 * @param rust version of the image's compiler
 */
export async function readImageSource(
  { root, base, folder }: { root: string; base: string; folder: string },
  definition: ImageDefinition,
  wish: SourceWish | undefined,
  rust: string | undefined,
): Promise<ReadSource | undefined> {
  const own = sourceOf(definition);
  if (own === undefined) return undefined;
  const path = wish === undefined ? posix.join(folder, own.path) : posix.normalize(wish.path).replace(/\/$/, "");
  const place = isAbsolute(path) ? path : join(/^\.\.(?:\/|$)/.test(path) ? base : root, path);
  const subject = wish === undefined ? definition.name : `keelson:sources.${definition.name}`;
  if (!statSync(place, { throwIfNoEntry: false })?.isDirectory()) {
    const finding: Finding = {
      rule: "source/missing",
      severity: "error",
      subject,
      message: `${path} is no folder (looked for ${place})`,
      fix: "correct its path, which is relative to the project, or clone the sources there",
    };
    return { context: { kind: "source", path, entries: [] }, findings: [finding] };
  }
  const entries = await readSource(place);
  const files = entries.flatMap((e) => (e.kind === "file" ? [e.path] : []));
  const read = (file: string) => readFileSync(join(place, file), "utf8");
  const findings = [
    ...optionFindings(subject, own.kind, sourceOptions(definition), wish),
    ...(await kindFindings(definition, { subject, folder: path, files, read, rust })),
  ];
  const args = await ownArgs(definition, files, read);
  const revision = wish === undefined ? undefined : await sourceRevision(place, base);
  findings.push(...versionFindings(subject, path, revision, args));
  return { context: { kind: "source", path, entries }, findings, args, revision };
}

/** A release whose manifest names another version: the image's label would say another one than its tag. */
function versionFindings(
  subject: string,
  path: string,
  revision: SourceRevision | undefined,
  { VERSION: version = "" }: Readonly<Record<string, string>>,
): Finding[] {
  if (revision?.release === undefined || version === "" || version === revision.release) return [];
  return [
    {
      rule: "source/version",
      severity: "warning",
      subject,
      message: `${path} is tagged v${revision.release}, its Cargo.toml says ${version}: so will the image's label`,
      fix: "tag a commit whose Cargo.toml has the tag's version",
    },
  ];
}

async function ownArgs(
  { source, args = {} }: ImageDefinition,
  files: readonly string[],
  read: Sources["read"],
): Promise<Readonly<Record<string, string>>> {
  if (source === undefined || !("cargo" in source)) return {};
  const { cargoArgs } = await import("../core/cargo.ts");
  const said = cargoArgs(source.cargo.package, cargoManifests(files, read));
  return Object.fromEntries(Object.entries(said).filter(([name]) => name in args));
}

function cargoManifests(files: readonly string[], read: Sources["read"]): Map<string, string> {
  return new Map(files.filter((file) => /(?:^|\/)Cargo\.toml$/.test(file)).map((file) => [file, read(file)]));
}

/** What a stack says of a source that its kind does not have. */
function optionFindings(
  subject: string,
  kind: SourceKind,
  known: readonly string[],
  wish: SourceWish | undefined,
): Finding[] {
  return Object.entries(wish ?? {})
    .filter(([key, value]) => key !== "path" && value !== undefined && !known.includes(key))
    .map(([key]) => ({
      rule: "source/option",
      severity: "error",
      subject,
      message: `${key} means nothing to sources of ${kind}`,
      fix:
        known.length === 0 ? "take it out: path is all there is to say" : `take it out, or write ${known.join(" or ")}`,
    }));
}

interface Sources {
  readonly subject: string;
  readonly folder: string;
  readonly files: readonly string[];
  readonly read: (file: string) => string;
  readonly rust: string | undefined;
}

async function kindFindings({ source }: ImageDefinition, sources: Sources): Promise<Finding[]> {
  const { read, rust, ...found } = sources;
  const texts = (wanted: (file: string) => boolean) =>
    new Map(found.files.filter(wanted).map((file) => [file, read(file)]));
  if (source === undefined) return [];
  if ("cargo" in source) {
    const { cargoFindings } = await import("../core/cargo.ts");
    const manifests = cargoManifests(found.files, read);
    return cargoFindings({ ...found, package: source.cargo.package, binary: source.cargo.binary, manifests, rust });
  }
  const { nextFindings, pythonFindings } = await import("../core/app-source.ts");
  if ("npm" in source) return nextFindings({ ...found, texts: texts((file) => !file.includes("/")) });
  return pythonFindings({ ...found, app: source.python.app, texts: texts((file) => file === "requirements.lock") });
}

/**
 * What of `keelson:sources` no image takes.
 * @param unread images whose definitions can't be read: what they take is not known
 * @param services of the stack's machine, which take sources as well
 */
export function unusedSources(
  sources: Readonly<Record<string, SourceWish>>,
  definitions: readonly ImageDefinition[],
  unread: readonly string[],
  services: readonly string[] = [],
): Finding[] {
  const takers = [...new Set([...definitions.filter((d) => d.source !== undefined).map((d) => d.name), ...services])];
  return Object.keys(sources)
    .filter((name) => !takers.includes(name) && !unread.includes(name))
    .map((name) => ({
      rule: "source/unknown-image",
      severity: "error",
      subject: `keelson:sources.${name}`,
      message: definitions.some((d) => d.name === name)
        ? `${name} is built from no sources but its own folder`
        : `"${name}" is no image of the catalogue${services.length > 0 ? ", and no service that the machine runs" : ""}`,
      fix: `remove it, or write one of: ${takers.toSorted().join(", ")}${hint(name, takers)}`,
    }));
}
