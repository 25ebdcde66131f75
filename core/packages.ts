import type { GoBuild } from "./go-build.ts";
import type { FinalFile } from "./rootfs.ts";

/** Who installed a package. `path`: bytes that the image's definition names itself, such as a downloaded binary. */
export type PackageManager = "dpkg" | "apk" | "pip" | "npm" | "cargo" | "go" | "path";

/** One installed package and the bytes of its files that are in the final file system. */
export interface PackageSize {
  readonly manager: PackageManager;
  readonly name: string;
  readonly version: string;
  readonly bytes: number;
  readonly files: number;
  /** Cargo and Go: crates or modules that were linked in, by name and version. */
  readonly contains?: readonly string[];
}

/** A control paragraph of dpkg: `status`, or one file of `status.d`. */
export interface DpkgEntry {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** The source package that it was built from, where that has another name or version. */
  readonly source?: { readonly name: string; readonly version: string };
}

/** What `os-release` says of a distribution. @example { id: "debian", version: "12", name: "Debian GNU/Linux 12 (bookworm)" } */
export interface OsRelease {
  readonly id: string;
  readonly version: string;
  readonly name: string;
}

/** What a package database's file says, read while its layer streams by; the path says where it stood. */
export type PackageFact =
  | { readonly kind: "dpkg-status"; readonly entries: readonly DpkgEntry[] }
  | { readonly kind: "dpkg-list"; readonly files: readonly string[] }
  | { readonly kind: "apk"; readonly packages: readonly { name: string; version: string; files: readonly string[] }[] }
  | { readonly kind: "pip"; readonly name: string; readonly version: string; readonly files: readonly string[] }
  | { readonly kind: "npm"; readonly name: string; readonly version: string }
  | {
      readonly kind: "cargo";
      readonly name: string;
      readonly version: string;
      readonly crates: readonly string[];
      /** Of `crates`, those that come from no registry: a workspace's own, or git's. */
      readonly own?: readonly string[];
    }
  | ({ readonly kind: "go" } & GoBuild)
  | ({ readonly kind: "os" } & OsRelease);

/** The second is what the first links to, where that is a link (os-release(5)). */
const OS_RELEASE: ReadonlySet<string> = new Set(["etc/os-release", "usr/lib/os-release"]);

/** Whether a file belongs to a package database, so that its content is worth reading. */
export function isPackageFile(path: string): boolean {
  return (
    /^var\/lib\/dpkg\/(?:status$|status\.d\/|info\/.*\.(?:list|md5sums)$)/.test(path) ||
    path === "lib/apk/db/installed" ||
    OS_RELEASE.has(path) ||
    path.endsWith(".dist-info/RECORD") ||
    /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(path)
  );
}

/** Reads a file of a package database; undefined for what is none or can't be read. */
export function readPackageFile(path: string, text: string): PackageFact | undefined {
  if (path.endsWith(".md5sums"))
    return { kind: "dpkg-list", files: lines(text).map((line) => line.replace(/^\S+\s+/, "")) };
  if (path.startsWith("var/lib/dpkg/info/"))
    return { kind: "dpkg-list", files: lines(text).map((f) => f.replace(/^\//, "")) };
  if (path.startsWith("var/lib/dpkg/")) return { kind: "dpkg-status", entries: dpkgEntries(text) };
  if (path === "lib/apk/db/installed") return { kind: "apk", packages: apkPackages(text) };
  if (OS_RELEASE.has(path)) return osRelease(text);
  if (path.endsWith("/RECORD")) return pipRecord(path, text);
  return npmPackage(text);
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line.trim() !== "");

/** The paragraphs of packages that are installed; removed ones stay in `status` with their configuration. */
export function dpkgEntries(text: string): DpkgEntry[] {
  return text.split(/\n{2,}/).flatMap((paragraph) => {
    const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(paragraph)?.[1]?.trim();
    const [name, status] = [field("Package"), field("Status")];
    if (!name || (status !== undefined && !status.endsWith(" installed"))) return [];
    const version = field("Version") ?? "";
    const source = sourceOf(field("Source"), name, version);
    return [{ name, version, architecture: field("Architecture") ?? "", ...(source && { source }) }];
  });
}

/** `Source: glibc` or `Source: gcc-defaults (1.203)`: the version stands there where it is another one. */
function sourceOf(field: string | undefined, name: string, version: string): DpkgEntry["source"] {
  const parts = /^(\S+)(?:\s+\((\S+)\))?$/.exec(field ?? "");
  if (parts === null) return undefined;
  const source = { name: parts[1] ?? name, version: parts[2] ?? version };
  return source.name === name && source.version === version ? undefined : source;
}

function osRelease(text: string): PackageFact | undefined {
  const field = (key: string) => new RegExp(`^${key}=(["']?)(.*)\\1$`, "m").exec(text)?.[2] ?? "";
  const id = field("ID");
  return id === "" ? undefined : { kind: "os", id, version: field("VERSION_ID"), name: field("PRETTY_NAME") };
}

function apkPackages(text: string) {
  return text.split(/\n{2,}/).flatMap((paragraph) => {
    const files: string[] = [];
    let [name, version, folder] = ["", "", ""];
    for (const line of paragraph.split("\n")) {
      const value = line.slice(2);
      if (line.startsWith("P:")) name = value;
      else if (line.startsWith("V:")) version = value;
      else if (line.startsWith("F:")) folder = value;
      else if (line.startsWith("R:")) files.push(folder === "" ? value : `${folder}/${value}`);
    }
    return name === "" ? [] : [{ name, version, files }];
  });
}

function pipRecord(path: string, text: string): PackageFact | undefined {
  const match = /^(?:(.*)\/)?([^/]+?)-([^/-]+)\.dist-info\/RECORD$/.exec(path);
  if (!match) return undefined;
  const [, site = "", name = "", version = ""] = match;
  const files = lines(text).map((line) => {
    const file = line.startsWith('"')
      ? (/^"((?:[^"]|"")*)"/.exec(line)?.[1] ?? "").replaceAll('""', '"')
      : (line.split(",")[0] ?? "");
    return normalise(file.startsWith("/") ? file : `${site}/${file}`);
  });
  return { kind: "pip", name, version, files };
}

function npmPackage(text: string): PackageFact | undefined {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json !== "object" || json === null || !("name" in json) || typeof json.name !== "string")
      return undefined;
    const version = "version" in json && typeof json.version === "string" ? json.version : "";
    return { kind: "npm", name: json.name, version };
  } catch {
    return undefined;
  }
}

/** A path without `.` and `..`. @example normalise("usr/lib/python3/../../bin/x") // "usr/bin/x" */
export function normalise(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** What cargo-auditable embeds, as JSON: the root crate is the binary itself. */
export function readCrates(json: unknown): PackageFact | undefined {
  if (typeof json !== "object" || json === null || !("packages" in json) || !Array.isArray(json.packages))
    return undefined;
  const crates = json.packages.flatMap((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return [];
    if (!("name" in entry) || !("version" in entry)) return [];
    const own = "source" in entry && (entry.source === "local" || entry.source === "git");
    return [{ name: `${entry.name}`, version: `${entry.version}`, own, root: "root" in entry && entry.root === true }];
  });
  const root = crates.find((crate) => crate.root);
  if (!root) return undefined;
  const linked = crates.filter((crate) => !crate.root);
  const names = (of: typeof crates) => of.map((crate) => `${crate.name} ${crate.version}`).toSorted();
  const own = names(linked.filter((crate) => crate.own));
  return {
    kind: "cargo",
    name: root.name,
    version: root.version,
    crates: names(linked),
    ...(own.length > 0 && { own }),
  };
}

/** Which packages the bytes belong to, and the files that none claims. */
export interface PackageAccount {
  /** Largest first. */
  readonly packages: readonly PackageSize[];
  readonly unexplained: readonly FinalFile[];
}

interface Owner {
  readonly manager: PackageManager;
  readonly name: string;
  readonly version: string;
  readonly contains?: readonly string[];
  bytes: number;
  files: number;
}

/**
 * Gives every file of the final file system to at most one package: a path that the definition names, what dpkg or
 * apk lists, what a wheel's RECORD lists, the innermost npm package around it, the crate that it was built from.
 * @param files of the final file system
 * @param facts by the path where each was found
 * @param resolve a listed path's real one: `bin/sh` of a package is `usr/bin/sh` where /bin is a link
 * @param named paths of files or directories that the definition names
 */
export function accountPackages(
  files: readonly FinalFile[],
  facts: ReadonlyMap<string, PackageFact>,
  resolve: (path: string) => string | undefined,
  named: readonly string[] = [],
): PackageAccount {
  const owners: Owner[] = [];
  const byFile = new Map<string, Owner>();
  const byFolder = new Map<string, Owner>();
  const own = (manager: PackageManager, name: string, version: string, contains?: readonly string[]): Owner => {
    const owner = { manager, name, version, bytes: 0, files: 0, ...(contains ? { contains } : {}) };
    owners.push(owner);
    return owner;
  };
  const claim = (owner: Owner, paths: readonly string[]) => {
    for (const path of paths) {
      const real = resolve(path);
      if (real !== undefined && !byFile.has(real)) byFile.set(real, owner);
    }
  };
  for (const { name, version, files: listed } of dpkgPackages(facts)) claim(own("dpkg", name, version), listed);
  for (const [path, fact] of facts) {
    if (fact.kind === "apk") for (const p of fact.packages) claim(own("apk", p.name, p.version), p.files);
    if (fact.kind === "pip") claim(own("pip", fact.name, fact.version), fact.files);
    if (fact.kind === "npm") byFolder.set(path.slice(0, path.lastIndexOf("/")), own("npm", fact.name, fact.version));
    if (fact.kind === "cargo") claim(own("cargo", fact.name, fact.version, fact.crates), [path]);
    if (fact.kind === "go") {
      const { path: name, version } = fact.main;
      const modules = fact.modules.map((module) => `${module.path} ${module.version}`);
      claim(own("go", name, version, modules), [path]);
    }
  }
  const roots = named.map((path) => ({ path: normalise(path), owner: own("path", `/${normalise(path)}`, "") }));
  const unexplained: FinalFile[] = [];
  for (const file of files) {
    const root = roots.find(({ path }) => file.path === path || file.path.startsWith(`${path}/`));
    const owner = root?.owner ?? byFile.get(file.path) ?? innermost(byFolder, file.path);
    if (owner) {
      owner.bytes += file.bytes;
      if (file.kind === "file") owner.files++;
    } else if (file.bytes > 0) unexplained.push(file);
  }
  const packages = merge(owners.filter((owner) => owner.files > 0));
  return { packages, unexplained: unexplained.sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1)) };
}

function innermost(folders: ReadonlyMap<string, Owner>, path: string): Owner | undefined {
  if (folders.size === 0 || !path.includes("node_modules/")) return undefined;
  for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
    const owner = folders.get(path.slice(0, slash));
    if (owner) return owner;
  }
  return undefined;
}

function dpkgPackages(facts: ReadonlyMap<string, PackageFact>) {
  const lists = new Map<string, readonly string[]>();
  // A .list names every file; .md5sums leaves out configuration, and is all that distroless images have.
  for (const suffix of [".md5sums", ".list"]) {
    for (const [path, fact] of facts) {
      if (fact.kind !== "dpkg-list" || !path.endsWith(suffix)) continue;
      lists.set(path.slice(path.lastIndexOf("/") + 1, -suffix.length), fact.files);
    }
  }
  const entries = [...facts.values()].flatMap((fact) => (fact.kind === "dpkg-status" ? fact.entries : []));
  return entries.map((entry) => ({
    name: entry.name,
    version: entry.version,
    files: lists.get(entry.name) ?? lists.get(`${entry.name}:${entry.architecture}`) ?? [],
  }));
}

/** One row for each name and version: an npm tree holds the same package in many places. */
function merge(owners: readonly Owner[]): PackageSize[] {
  const rows = new Map<string, Owner>();
  for (const owner of owners) {
    const key = `${owner.manager}\0${owner.name}\0${owner.version}`;
    const row = rows.get(key);
    if (row) {
      row.bytes += owner.bytes;
      row.files += owner.files;
    } else rows.set(key, { ...owner });
  }
  const order = (p: Owner) => `${p.manager}\0${p.name}\0${p.version}`;
  return [...rows.values()].sort((a, b) => b.bytes - a.bytes || (order(a) < order(b) ? -1 : 1));
}
