import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import type { ArtifactLock } from "../core/artifact.ts";
import type { BasesLock } from "../core/base.ts";
import { type DefinitionLines, definitionLines } from "../core/definition-lines.ts";
import { UserError } from "../core/error.ts";
import { type Finding, formatFinding } from "../core/finding.ts";
import type { ContextSetting, ContextSource, ImageDefinition } from "../core/image.ts";
import { type LineageNode, type UnreadBase, withAncestors } from "../core/lineage.ts";
import type { CatalogueContext, CatalogueImage } from "../core/plan.ts";
import { PLATFORMS } from "../core/platform.ts";
import { SOURCE_CONTEXT, SOURCE_LABELS, type SourceWish, withSource } from "../core/source.ts";
import { readContext } from "../toolchain/context.ts";
import { definitionFindings } from "./definition.ts";
import { type OwnService, ownDefinition } from "./own-service.ts";
import { readImageSource, unusedSources } from "./sources.ts";

const FOLDER = "images";

const artifact = z.object({
  file: z.string().min(1),
  source: z.string().min(1),
  integrity: z
    .string()
    .regex(/^(?:sha256-[0-9a-f]{64}|sha512-[A-Za-z0-9+/]{86}==)$/, "sha256-<hex> or sha512-<base64>"),
  size: z.int().nonnegative(),
  platform: z.enum(PLATFORMS).optional(),
  name: z.string().optional(),
  version: z.string().optional(),
});
const artifactLock = z.object({
  snapshot: z
    .string()
    .regex(/^\d{8}T\d{6}Z$/, "YYYYMMDDTHHMMSSZ")
    .optional(),
  artifacts: z.array(artifact),
});
const bootstrap = z.object({
  suite: z.string().regex(/^[a-z]+$/, "a release's name, such as bookworm"),
  select: z.array(z.string().min(1)),
  excludes: z.array(z.string().startsWith("/")),
  includes: z.array(z.string().startsWith("/")),
  packages: artifactLock,
});
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "sha256:<hex>");
const basesLock = z.object({
  bases: z.array(
    z.object({
      name: z.string().min(1),
      platforms: z.array(z.enum(PLATFORMS)).min(1),
      digest: digest.optional(),
      bootstrap: bootstrap.optional(),
    }),
  ),
});

/** The bases that `images/bases.lock.json` pins. @throws UserError when the file can't be read. */
export function readBasesLock(root: string): BasesLock {
  return readJson(
    root,
    join(FOLDER, "bases.lock.json"),
    basesLock,
    "take it back from git: `git restore images/bases.lock.json`",
  ) as BasesLock;
}

/** A lock of artifacts, by its path in the project. @throws UserError when the file can't be read. */
export function readArtifactLock(root: string, file: string): ArtifactLock {
  return readJson(root, file, artifactLock, "run `npm run keelson -- lock` to write it anew") as ArtifactLock;
}

/** What a lock is resolved from, which stands beside it. @example requestsOf("a/cu121.lock.json") // "a/cu121.json" */
export function requestsOf(lock: string): string {
  return lock.replace(/\.lock\.json$/, ".json");
}

/** Directories, relative to the project, that a stack's config names instead of the images' own. */
export type ContextSettings = Readonly<Partial<Record<ContextSetting, string | undefined>>>;

/** The catalogue as a stack needs it. */
export interface Catalogue {
  /** The images that the stack builds, and all that they are made from, with the bytes that their builds see. */
  readonly catalogue: readonly CatalogueImage[];
  /** All other definitions: rules hold for them, but what they build is not read. */
  readonly others: readonly LineageNode[];
  /** Names of images whose definitions can't be read. */
  readonly unread: readonly string[];
  /** The bases that these name, as far as they do. */
  readonly unreadBases: readonly UnreadBase[];
  /** All that can't be read, of definitions and of what wanted images are built from. */
  readonly findings: readonly Finding[];
}

/** What a stack says of its images' sources. */
export interface StackSources {
  /** `keelson:sources`. */
  readonly wishes: Readonly<Record<string, SourceWish>>;
  /** Services of the stack's machine that have sources of their own: each is an image beside the catalogue's. */
  readonly own?: readonly OwnService[];
  /** What of them can be named. */
  readonly services?: readonly string[];
  /** What paths that lead out of the project are relative to: the project, unless it is read as a commit had it. */
  readonly base: string;
}

/**
 * Image definitions below `images/`, in the order of {@link readDefinitions}. What can't be read is left out, and told in
 * the findings.
 * @param images names of the images that the stack builds
 * @param settings directories that the stack's config names instead of the images' own
 * @param sources what stands in for the sources that definitions name
 */
export async function readCatalogue(
  root: string,
  images: readonly string[],
  settings: ContextSettings = {},
  sources: StackSources = { wishes: {}, base: root },
): Promise<Catalogue> {
  const { found: shared, unread, unreadBases, findings } = await scanDefinitions(root);
  const own = (sources.own ?? []).map((service) => ownDefinition(shared, service)).filter((one) => one !== undefined);
  const scanned = [...shared, ...own];
  const found = scanned.map((one) => ({
    ...one,
    definition: withSource(one.definition, sources.wishes[one.definition.name]),
  }));
  const definitions = found.map((f) => f.definition);
  const wanted = withAncestors(definitions, images);
  const read = await Promise.all(
    found.map((one) =>
      wanted.has(one.definition.name) ? readImage(root, one, settings, sources) : { one, findings: [] },
    ),
  );
  const whole = read.flatMap((r) => ("image" in r ? [r.image] : []));
  return {
    catalogue: whole.map((image) => withLabels(image, whole)),
    others: read.flatMap((r) => ("image" in r ? [] : [nodeOf(r.one)])),
    unread,
    unreadBases,
    findings: [
      ...findings,
      ...unusedSources(sources.wishes, definitions, unread, sources.services),
      ...read.flatMap((r) => r.findings),
    ],
  };
}

/** A definition, and the folder that it stands in. */
interface FoundDefinition {
  readonly folder: string;
  readonly definition: ImageDefinition;
  /** Where its keys stand in image.ts. */
  readonly lines: DefinitionLines;
}

function nodeOf({ definition, folder, lines }: FoundDefinition): LineageNode {
  return { definition, file: `${folder}/image.ts`, lines };
}

/**
 * All image definitions below `images/`, without what their builds see; sorted by folder.
 * @throws UserError with all that is wrong with any of them.
 */
export async function readDefinitions(root: string): Promise<FoundDefinition[]> {
  const { found, findings } = await scanDefinitions(root);
  if (findings.length > 0)
    throw new UserError(`the catalogue can't be read:\n${findings.map(formatFinding).join("\n")}`, "correct these");
  return found;
}

interface Scan {
  readonly found: FoundDefinition[];
  readonly unread: string[];
  readonly unreadBases: UnreadBase[];
  readonly findings: Finding[];
}

async function scanDefinitions(root: string): Promise<Scan> {
  const folders = readdirSync(join(root, FOLDER), { withFileTypes: true })
    .filter((e) => e.isDirectory() && existsSync(join(root, FOLDER, e.name, "image.ts")))
    .map((e) => `${FOLDER}/${e.name}`)
    .toSorted();
  const scans = await Promise.all(folders.map((folder) => scanFolder(root, folder)));
  return {
    found: scans.flatMap((s) => s.found),
    unread: scans.flatMap((s) => s.unread),
    unreadBases: scans.flatMap((s) => s.unreadBases),
    findings: scans.flatMap((s) => s.findings),
  };
}

/** The definitions of one folder: one, or its variants. */
async function scanFolder(root: string, folder: string): Promise<Scan> {
  const file = `${folder}/image.ts`;
  const url = pathToFileURL(join(root, file)).href;
  const own = posix.basename(folder);
  const refused = (message: string, fix: string, line?: number): Scan => {
    const where = { file, ...(line === undefined ? {} : { line }) };
    const finding: Finding = { rule: "definition/unreadable", severity: "error", subject: own, message, fix, where };
    return { found: [], unread: [own], unreadBases: [], findings: [finding] };
  };
  let exported: unknown;
  let text: string;
  try {
    text = readFileSync(join(root, file), "utf8");
    exported = ((await import(url)) as { default?: unknown }).default;
  } catch (error) {
    return refused(`it can't be loaded: ${messageOf(error)}`, "correct that line", lineIn(error, url));
  }
  if (exported === undefined)
    return refused("it has no default export", "write `export default defineImage({ … })`", 1);
  const scan: Scan = { found: [], unread: [], unreadBases: [], findings: [] };
  for (const value of [exported].flat()) {
    const name = (value as { name?: unknown } | null)?.name;
    const subject = typeof name === "string" ? name : own;
    const lines = definitionLines(text, subject);
    const findings = definitionFindings(value, subject, file, lines);
    if (findings.length === 0) scan.found.push({ folder, definition: value as ImageDefinition, lines });
    else {
      scan.unread.push(subject);
      const base = (value as { base?: unknown } | null)?.base;
      const line = lines.base ?? lines.name;
      const where = { file, ...(line === undefined ? {} : { line }) };
      if (typeof base === "string" && base !== "") scan.unreadBases.push({ name: subject, base, where });
    }
    scan.findings.push(...findings);
  }
  return scan;
}

function messageOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0] ?? "";
}

/** The line of a module that its error's trace names first. */
function lineIn(error: unknown, url: string): number | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const at = stack.indexOf(`${url}:`);
  return at < 0 ? undefined : Number.parseInt(stack.slice(at + url.length + 1), 10) || undefined;
}

type ReadImage =
  | { readonly image: CatalogueImage; readonly findings: readonly Finding[] }
  | { readonly one: FoundDefinition; readonly findings: readonly Finding[] };

/** A definition with the bytes that its build sees; or all that can't be read of them. */
async function readImage(
  root: string,
  one: FoundDefinition,
  settings: ContextSettings,
  sources: StackSources,
): Promise<ReadImage> {
  const { folder, definition, lines } = one;
  const findings: Finding[] = [];
  const attempt = async <T>(where: Finding["where"], read: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const { message, fix } = error;
      const place = where === undefined ? {} : { where };
      findings.push({ rule: "definition/files", severity: "error", subject: definition.name, message, fix, ...place });
      return undefined;
    }
  };
  const at = (key: string) => ({
    file: `${folder}/image.ts`,
    ...(lines[key] === undefined ? {} : { line: lines[key] }),
  });
  const file = join(root, folder, "Dockerfile");
  const dockerfile = await attempt(at("name"), () => readDockerfile(file, folder));
  const context = await attempt(undefined, () => readContext(join(root, folder), file));
  const contexts: Record<string, CatalogueContext> = {};
  for (const [name, source] of Object.entries(definition.contexts ?? {})) {
    const read = await attempt(at("contexts"), () => readNamed(root, folder, source, settings));
    if (read !== undefined) contexts[name] = read;
  }
  const wish = sources.wishes[definition.name];
  const place = { root, base: sources.base, folder };
  const source = await attempt(at("source"), () => readImageSource(place, definition, wish, rustOf(contexts)));
  if (source !== undefined) contexts[SOURCE_CONTEXT] = source.context;
  const { smoke } = definition;
  if (smoke !== undefined)
    await attempt(at("smoke"), () => requireFile(join(root, folder, smoke), `${folder}/${smoke}`));
  findings.push(...(source?.findings ?? []));
  const isRead = !findings.some((f) => f.rule === "definition/files");
  if (!isRead || dockerfile === undefined || context === undefined) return { one, findings };
  const chosen = Object.values(definition.contexts ?? {}).some(
    (c) => "setting" in c && c.setting !== undefined && settings[c.setting] !== undefined,
  );
  const configured = wish !== undefined || chosen;
  const args = { ...definition.args, ...source?.args };
  const told = Object.keys(args).length === 0 ? definition : { ...definition, args };
  const sourced = wish === undefined || chosen ? undefined : source?.revision;
  const image = { definition: told, lines, folder, dockerfile, context, contexts, configured, sources: sourced };
  return { image, findings };
}

/**
 * An image that takes another one's program, without sources of its own, has in its labels what that one's say: those of
 * the arguments that both have.
 */
function withLabels(image: CatalogueImage, all: readonly CatalogueImage[]): CatalogueImage {
  const { args = {}, source } = image.definition;
  if (source !== undefined) return image;
  const read = Object.values(image.contexts).flatMap((c) => (c.kind === "image" ? [c.image] : []));
  const from = all.filter(({ definition }) => definition.source !== undefined && read.includes(definition.name));
  const said = from.flatMap(({ definition }) =>
    SOURCE_LABELS.flatMap((name) => {
      const value = definition.args?.[name];
      return name in args && value !== undefined ? [[name, value]] : [];
    }),
  );
  if (said.length === 0) return image;
  return { ...image, definition: { ...image.definition, args: { ...args, ...Object.fromEntries(said) } } };
}

/** Version of the Rust compiler that an image's locks hold. @example "1.96.0" */
function rustOf(contexts: Readonly<Record<string, CatalogueContext>>): string | undefined {
  const locked = Object.values(contexts).flatMap((c) => (c.kind === "lock" ? c.lock.artifacts : []));
  return /^\d+\.\d+\.\d+/.exec(locked.find((a) => /^rustc(?:-|$)/.test(a.name ?? ""))?.version ?? "")?.[0];
}

function readDockerfile(file: string, folder: string): string {
  const fix = "write one that takes its base as ARG BASE_IMAGE";
  if (!existsSync(file)) throw new UserError(`${folder} has no Dockerfile`, fix);
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new UserError(`${folder}/Dockerfile can't be read (${code})`, "make it a file that you can read", { cause });
  }
}

async function readNamed(
  root: string,
  folder: string,
  source: ContextSource,
  settings: ContextSettings,
): Promise<CatalogueContext> {
  if ("image" in source) return { kind: "image", image: source.image };
  if ("base" in source) return { kind: "base", base: source.base, else: source.else };
  if ("lock" in source) {
    const lock = posix.join(folder, source.lock);
    return { kind: "lock", file: lock, lock: readArtifactLock(root, lock) };
  }
  const given = source.setting && settings[source.setting];
  if (given !== undefined && !statSync(join(root, given), { throwIfNoEntry: false })?.isDirectory())
    throw new UserError(
      `keelson:${source.setting}: expected a directory of the project, found none at ${given}`,
      "make it, or leave the key out for the image's own",
    );
  const path = given ?? posix.join(folder, source.path);
  if (/^\.\.(?:\/|$)/.test(path))
    throw new UserError(`the context ${source.path} lies outside of the project`, "put its files below the project");
  return { kind: "path", path, entries: await readContext(join(root, path)) };
}

function requireFile(path: string, name: string): void {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new UserError(`${name} is no file`, "write it, or take its key from image.ts");
}

/** A JSON file of the project, checked. @throws UserError with every problem and `fix`. */
export function readJson<T>(root: string, file: string, schema: z.ZodType<T>, fix: string): T {
  let raw: unknown;
  try {
    raw = JSON.parse(readFileSync(join(root, file), "utf8"));
  } catch (error) {
    throw new UserError(`${file} can't be read: ${(error as Error).message}`, fix);
  }
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((i) => `${i.path.join(".") || "as a whole"}: ${i.message}`).join("; ");
  throw new UserError(`${file} is not what it should be: ${problems}`, fix);
}
