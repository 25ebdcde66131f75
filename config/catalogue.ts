import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import type { ArtifactLock } from "../core/artifact.ts";
import type { BasesLock } from "../core/base.ts";
import { UserError } from "../core/error.ts";
import type { ImageDefinition } from "../core/image.ts";
import { type LineageNode, withAncestors } from "../core/lineage.ts";
import type { CatalogueContext, CatalogueImage } from "../core/plan.ts";
import { PLATFORMS } from "../core/platform.ts";
import { readContext } from "../toolchain/context.ts";

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
    "run `npm run keelson -- bases update`",
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

/** The catalogue as a stack needs it. */
export interface Catalogue {
  /** The images that the stack builds, and all that they are made from, with the bytes that their builds see. */
  readonly catalogue: readonly CatalogueImage[];
  /** All other definitions: rules hold for them, but what they build is not read. */
  readonly others: readonly LineageNode[];
}

/**
 * Image definitions below `images/`, in the order of {@link readDefinitions}.
 * @param images names of the images that the stack builds
 * @throws UserError for an image.ts, and for a wanted image's Dockerfile or lock, that can't be read.
 */
export async function readCatalogue(root: string, images: readonly string[]): Promise<Catalogue> {
  const found = await readDefinitions(root);
  const definitions = found.map((f) => f.definition);
  const wanted = withAncestors(definitions, images);
  const [read = [], others = []] = [true, false].map((is) => found.filter((f) => wanted.has(f.definition.name) === is));
  return {
    catalogue: await Promise.all(read.map((one) => readImage(root, one))),
    others: others.map(({ definition, folder }) => ({ definition, file: `${folder}/image.ts` })),
  };
}

/** A definition, and the folder that it stands in. */
interface FoundDefinition {
  readonly folder: string;
  readonly definition: ImageDefinition;
}

/** All image definitions below `images/`, without what their builds see; sorted by folder. */
export async function readDefinitions(root: string): Promise<FoundDefinition[]> {
  const folders = readdirSync(join(root, FOLDER), { withFileTypes: true })
    .filter((e) => e.isDirectory() && existsSync(join(root, FOLDER, e.name, "image.ts")))
    .map((e) => `${FOLDER}/${e.name}`)
    .toSorted();
  return (await Promise.all(folders.map((folder) => readFolder(root, folder)))).flat();
}

/** The definitions of one folder: one, or its variants. */
async function readFolder(root: string, folder: string): Promise<FoundDefinition[]> {
  const module: { default?: ImageDefinition | readonly ImageDefinition[] } = await import(
    pathToFileURL(join(root, folder, "image.ts")).href
  );
  if (module.default === undefined)
    throw new UserError(`${folder}/image.ts has no default export`, "write `export default defineImage({ … })`");
  return [module.default].flat().map((definition) => ({ folder, definition }));
}

/**
 * A definition with the bytes that its build sees.
 * @throws UserError where its Dockerfile, a context or a lock can't be read.
 */
async function readImage(root: string, { folder, definition }: FoundDefinition): Promise<CatalogueImage> {
  const file = join(root, folder, "Dockerfile");
  if (!existsSync(file))
    throw new UserError(`${folder} has no Dockerfile`, "write one that takes its base as ARG BASE_IMAGE");
  const contexts: Record<string, CatalogueContext> = {};
  for (const [name, source] of Object.entries(definition.contexts ?? {})) {
    if ("image" in source) contexts[name] = { kind: "image", image: source.image };
    else if ("lock" in source) {
      const lock = posix.join(folder, source.lock);
      contexts[name] = { kind: "lock", file: lock, lock: readArtifactLock(root, lock) };
    } else {
      const path = posix.join(folder, source.path);
      contexts[name] = { kind: "path", path, entries: await readContext(join(root, path)) };
    }
  }
  return {
    definition,
    folder,
    dockerfile: readFileSync(file, "utf8"),
    context: await readContext(join(root, folder), file),
    contexts,
  };
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
  const problems = parsed.error.issues.map((i) => `${i.path.join(".")}: ${i.message}`).join("; ");
  throw new UserError(`${file} is not what it should be: ${problems}`, fix);
}
