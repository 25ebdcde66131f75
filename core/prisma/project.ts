import { posix } from "node:path";
import semver from "semver";
import { leastVersion } from "./client.ts";
import { type PrismaFile, parsePrisma } from "./schema.ts";

/** A project that uses Prisma: one schema, of one file or of several. */
export interface PrismaProject {
  /** Folder of its package.json or prisma.config, relative to the tree; empty for its root. */
  readonly folder: string;
  /** Sorted by path; several form one schema. */
  readonly schema: readonly PrismaFile[];
  /** Where the project says that its schema is, and who says so. */
  readonly named?: { readonly path: string; readonly by: string };
  /** Of the client, by a lock file or at least by package.json; undefined where neither says. */
  readonly version?: string;
  /** Nothing but that version is installed: a lock file has it, or package.json names it alone. */
  readonly isExact: boolean;
  /** Names of all packages that package.json asks for. */
  readonly packages: readonly string[];
  /** `prisma generate --no-engine` in one of its scripts. */
  readonly withoutEngine: boolean;
}

/** Whether a file says something of a project's use of Prisma. */
export function isPrismaFile(path: string): boolean {
  if (/(?:^|\/)node_modules\//.test(path)) return false;
  return /\.prisma$|(?:^|\/)(?:package(?:-lock)?\.json|pnpm-lock\.yaml|yarn\.lock|(?:\.config\/)?prisma(?:\.config)?\.[cm]?[jt]s)$/.test(
    path,
  );
}

/**
 * The projects in a tree, with all that their files say.
 * @param files text by path, of all for which {@link isPrismaFile} holds
 */
export function prismaProjects(files: ReadonlyMap<string, string>): PrismaProject[] {
  const schemas = [...files.keys()].filter((path) => path.endsWith(".prisma")).toSorted();
  const projects: PrismaProject[] = [];
  const taken = new Set<string>();
  const folders = [...new Set([...files.keys()].filter((p) => !p.endsWith(".prisma")).map(rootOf))];
  // The deepest first: a schema belongs to the nearest project above it.
  for (const folder of folders.toSorted((a, b) => b.split("/").length - a.split("/").length || (a < b ? -1 : 1))) {
    const named = namedSchema(files, folder);
    const below = schemas.filter((path) => !taken.has(path) && isBelow(path, folder));
    const own = named === undefined ? defaultSchema(below, folder) : chosen(schemas, named.path);
    if (own.length === 0 && (named === undefined || !usesPrisma(files, folder))) continue;
    for (const path of own) taken.add(path);
    projects.push(project(files, folder, own, named));
  }
  const rest = schemas.filter((path) => !taken.has(path) && !folders.some((folder) => isBelow(path, folder)));
  for (const folder of [...new Set(rest.map(dirname))])
    projects.push(
      project(
        files,
        folder,
        rest.filter((path) => dirname(path) === folder),
        undefined,
      ),
    );
  return projects.toSorted((a, b) => (a.folder < b.folder ? -1 : 1));
}

function project(
  files: ReadonlyMap<string, string>,
  folder: string,
  paths: readonly string[],
  named: PrismaProject["named"],
): PrismaProject {
  const { version, isExact } = clientVersion(files, folder);
  const { packages, scripts } = packageFile(files.get(join(folder, "package.json")));
  return {
    folder,
    schema: paths.map((path) => parsePrisma(files.get(path) ?? "", path)),
    ...(named === undefined ? {} : { named }),
    ...(version === undefined ? {} : { version }),
    isExact,
    packages: Object.keys(packages).toSorted(),
    withoutEngine: scripts.some((script) => NO_ENGINE.test(script)),
  };
}

/** The flag's names: --no-engine since 5.2, --data-proxy and --accelerate before. */
export const NO_ENGINE = /\bprisma\s+generate\b[^&|;]*\s--(?:no-engine|data-proxy|accelerate)\b/;

/** Folder that a file of a project speaks for. */
function rootOf(path: string): string {
  return dirname(path.replace(/(^|\/)\.config\/prisma\./, "$1prisma."));
}

function isBelow(path: string, folder: string): boolean {
  return folder === "" || path.startsWith(`${folder}/`);
}

/** What Prisma reads where nobody says where: one file, or since 6.7 and with prismaSchemaFolder a folder of them. */
function defaultSchema(below: readonly string[], folder: string): string[] {
  for (const path of ["schema.prisma", "prisma/schema.prisma"])
    if (below.includes(join(folder, path))) return [join(folder, path)];
  const place = join(folder, "prisma/schema");
  const several = below.filter((path) => isBelow(path, place));
  return several.length > 0 ? several : below.filter((path) => dirname(path) === dirname(below[0] ?? ""));
}

/** One file, or all below a folder. */
function chosen(schemas: readonly string[], path: string): string[] {
  return schemas.includes(path) ? [path] : schemas.filter((schema) => isBelow(schema, path));
}

function usesPrisma(files: ReadonlyMap<string, string>, folder: string): boolean {
  if (configOf(files, folder) !== undefined || clientVersion(files, folder).version !== undefined) return true;
  for (let at = folder; ; at = dirname(at)) {
    const { packages } = packageFile(files.get(join(at, "package.json")));
    if ("@prisma/client" in packages || "prisma" in packages) return true;
    if (at === "") return false;
  }
}

const CONFIGS = ["ts", "js", "mjs", "cjs", "mts", "cts"].flatMap((end) => [
  `prisma.config.${end}`,
  `.config/prisma.${end}`,
]);

function configOf(files: ReadonlyMap<string, string>, folder: string): string | undefined {
  return CONFIGS.map((name) => join(folder, name)).find((path) => files.has(path));
}

/** `schema` of prisma.config.ts, and `prisma.schema` of package.json, which Prisma 7 no longer reads. */
function namedSchema(files: ReadonlyMap<string, string>, folder: string): PrismaProject["named"] {
  const config = configOf(files, folder);
  const fromConfig = config === undefined ? undefined : configuredSchema(files.get(config) ?? "");
  if (config !== undefined && fromConfig !== undefined) return { path: join(rootOf(config), fromConfig), by: config };
  const path = join(folder, "package.json");
  const { schema } = packageFile(files.get(path));
  return schema === undefined ? undefined : { path: join(folder, schema), by: path };
}

/**
 * The `schema` of a prisma.config.ts, as far as it is written out; undefined where it is worked out.
 * @example configuredSchema('export default defineConfig({ schema: path.join("db", "schema") })') // "db/schema"
 */
export function configuredSchema(text: string): string | undefined {
  const code = text.replace(/("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "$1");
  const found =
    /(?:^|[{,\s])["']?schema["']?\s*:\s*(?:path\.)?(?:(?:join|resolve)\(([^()]*)\)|(["'`][^"'`\n]*["'`]))/.exec(code);
  if (found === null) return undefined;
  const parts = (found[1] ?? found[2] ?? "").split(",").map((part) => part.trim());
  const texts = parts.filter(
    (part) => part !== "" && !/^(?:__dirname|import\.meta\.dirname|process\.cwd\(\))$/.test(part),
  );
  if (texts.length === 0 || texts.some((part) => !/^(["'`])[^"'`$]*\1$/.test(part))) return undefined;
  return join("", texts.map((part) => part.slice(1, -1)).join("/"));
}

interface ClientVersion {
  readonly version?: string;
  readonly isExact: boolean;
}

/** Of @prisma/client, else of prisma: what a lock resolved, here or above, else the least that package.json takes. */
function clientVersion(files: ReadonlyMap<string, string>, folder: string): ClientVersion {
  let range: string | undefined;
  for (let at = folder; ; at = dirname(at)) {
    const { packages } = packageFile(files.get(join(at, "package.json")));
    range ??= packages["@prisma/client"] ?? packages.prisma;
    const version =
      npmVersion(files.get(join(at, "package-lock.json")), posix.relative(at, folder)) ??
      textVersion(files.get(join(at, "pnpm-lock.yaml")), PNPM) ??
      textVersion(files.get(join(at, "yarn.lock")), YARN);
    // A workspace's lock may have another release for another package.
    if (version !== undefined && isTaken(version, range)) return { version, isExact: true };
    if (at === "") break;
  }
  const least = range === undefined ? undefined : leastVersion(range);
  return least === undefined ? { isExact: false } : { version: least, isExact: semver.valid(range) !== null };
}

function isTaken(version: string, range: string | undefined): boolean {
  return range === undefined || semver.validRange(range) === null || semver.satisfies(version, range);
}

/** @param member the project's folder, relative to the lock's */
function npmVersion(text: string | undefined, member: string): string | undefined {
  const packages = record(record(parseJson(text)).packages);
  for (const name of ["@prisma/client", "prisma"])
    for (const place of [`${member}/node_modules/${name}`, `node_modules/${name}`]) {
      const { version } = record(packages[place]);
      if (typeof version === "string") return version;
    }
  return undefined;
}

/** Of @prisma/client in the `packages` of a pnpm-lock.yaml, with a slash before it up to version 6 of that format. */
const PNPM = /^ {2}['"]?\/?@prisma\/client[@/](\d[\w.+-]*)/gm;
/** Of @prisma/client in a yarn.lock, of version 1 (`version "6.19.0"`) or later (`version: 6.19.0`). */
const YARN = /^"?@prisma\/client@[^\n]*:\n {2}version:? "?(\d[\w.+-]*)/gm;

/** The one version that a lock of a workspace has; where it has several, who has which stands elsewhere. */
function textVersion(text: string | undefined, pattern: RegExp): string | undefined {
  const versions = new Set([...(text ?? "").matchAll(pattern)].map(([, version]) => version));
  return versions.size === 1 ? [...versions][0] : undefined;
}

function packageFile(text: string | undefined) {
  const json = record(parseJson(text));
  const texts = (value: unknown) =>
    Object.fromEntries(Object.entries(record(value)).filter((e): e is [string, string] => typeof e[1] === "string"));
  const { schema } = record(json.prisma);
  return {
    packages: { ...texts(json.devDependencies), ...texts(json.dependencies) },
    scripts: Object.values(texts(json.scripts)),
    schema: typeof schema === "string" ? schema : undefined,
  };
}

/** A package.json that can't be read says nothing here: npm tells about it. */
function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return undefined;
  }
}

/** Folder of a path; empty for the root. */
function dirname(path: string): string {
  return posix.dirname(path).replace(/^\.$/, "");
}

/** A path below a folder, without `./` and a slash at its end; empty for the root. */
function join(folder: string, path: string): string {
  return posix.join(folder, path).replace(/\/$/, "").replace(/^\.$/, "");
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
