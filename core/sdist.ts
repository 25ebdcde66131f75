import { parse } from "smol-toml";
import { UserError } from "./error.ts";
import { normaliseName } from "./requirements.ts";

/** What a source distribution says of itself without being run (PEP 643, PEP 621). */
export interface SdistMetadata {
  readonly name: string;
  readonly version: string;
  /** Requirements with their markers, those of extras included. @example ["numpy>=1.20.0", "fastapi; extra == \"server\""] */
  readonly requiresDist: readonly string[];
  /** @example ">=3.8" */
  readonly requiresPython?: string;
  readonly extras: readonly string[];
}

/** The files of a source distribution that say it, as far as it has them. */
export interface SdistFiles {
  readonly pkgInfo?: string | undefined;
  readonly pyproject?: string | undefined;
}

type Table = Readonly<Record<string, unknown>>;

/** What a resolution depends on, as PKG-INFO's `Dynamic` and pyproject.toml's `dynamic` name it. */
const FIELDS = ["requires-dist", "requires-python", "provides-extra"];
const TABLE_FIELDS = ["dependencies", "optional-dependencies", "requires-python"];

/**
 * Reads what a source distribution needs: from PKG-INFO where that is of Metadata 2.2 or newer and leaves none of it to the build, else from
 * the `[project]` of pyproject.toml that leaves none open. A build may change nothing of it then, so nobody has to run one to know.
 * @param file for messages
 * @example sdistMetadata({ pkgInfo: "Metadata-Version: 2.2\nName: a\nVersion: 1.0\nRequires-Dist: idna\n" }, "a-1.0.tar.gz").requiresDist // ["idna"]
 * @throws UserError where only its build would tell.
 */
export function sdistMetadata({ pkgInfo, pyproject }: SdistFiles, file: string): SdistMetadata {
  const headers = readHeaders(pkgInfo ?? "");
  const [name, version] = [headers.get("name")?.[0], headers.get("version")?.[0]];
  if (name === undefined || version === undefined)
    throw new UserError(`${file}: expected a PKG-INFO with Name and Version, found none`, "lock another release of it");
  const stated = ofHeaders(headers);
  const found = "why" in stated && pyproject !== undefined ? ofProject(pyproject) : stated;
  if ("why" in found)
    throw new UserError(
      `${file}: what it needs is known to its own build alone (${[...new Set([stated, found].map((one) => ("why" in one ? one.why : "")))].join("; ")}), which keelson does not run`,
      "take a release whose PKG-INFO is of Metadata 2.2 or newer, or whose pyproject.toml lists its dependencies, or one that has wheels",
    );
  return { name: normaliseName(name), version, ...found };
}

type Found = Pick<SdistMetadata, "requiresDist" | "requiresPython" | "extras"> | { readonly why: string };

function ofHeaders(headers: ReadonlyMap<string, readonly string[]>): Found {
  const version = headers.get("metadata-version")?.[0] ?? "1.0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < 2 || (major === 2 && minor < 2)) return { why: `its PKG-INFO is of Metadata ${version}` };
  const dynamic = (headers.get("dynamic") ?? []).map((field) => field.toLowerCase());
  const open = FIELDS.filter((field) => dynamic.includes(field));
  if (open.length > 0) return { why: `its PKG-INFO leaves ${open.join(", ")} open` };
  return {
    requiresDist: headers.get("requires-dist") ?? [],
    extras: headers.get("provides-extra") ?? [],
    ...required(headers.get("requires-python")?.[0]),
  };
}

function ofProject(text: string): Found {
  let project: Table;
  try {
    const { project: table } = parse(text) as { project?: Table };
    if (table === undefined) return { why: "its pyproject.toml has no [project]" };
    project = table;
  } catch {
    return { why: "its pyproject.toml can't be read" };
  }
  const dynamic = strings(project.dynamic);
  const open = TABLE_FIELDS.filter((field) => dynamic.includes(field));
  if (open.length > 0) return { why: `its pyproject.toml leaves ${open.join(", ")} open` };
  const optional = Object.entries((project["optional-dependencies"] ?? {}) as Table);
  const ofExtras = optional.flatMap(([extra, list]) => strings(list).map((one) => withExtra(one, extra)));
  return {
    requiresDist: [...strings(project.dependencies), ...ofExtras],
    extras: optional.map(([extra]) => extra),
    ...required(project["requires-python"]),
  };
}

function required(python: unknown): Pick<SdistMetadata, "requiresPython"> {
  return typeof python === "string" ? { requiresPython: python } : {};
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

/** @example withExtra("idna; python_version < '3.9'", "x") // "idna; (python_version < '3.9') and extra == 'x'" */
function withExtra(requirement: string, extra: string): string {
  // Of an address a semicolon may be a part: PEP 508 wants a space before a marker's there.
  const [what = "", marker] = requirement.split(requirement.includes("@") ? /\s;(.*)/s : /;(.*)/s);
  const own = `extra == '${extra}'`;
  return `${what.trim()}; ${marker === undefined ? own : `(${marker.trim()}) and ${own}`}`;
}

/** The headers before the description, by name in lower case. */
function readHeaders(text: string): ReadonlyMap<string, readonly string[]> {
  const [head = ""] = text.replaceAll("\r\n", "\n").split("\n\n", 1);
  const headers = new Map<string, string[]>();
  for (const line of head.replaceAll(/\n[ \t]+/g, " ").split("\n")) {
    const [, name = "", value = ""] = /^([A-Za-z-]+):\s*(.*)$/.exec(line) ?? [];
    if (name !== "") headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), value.trim()]);
  }
  return headers;
}
