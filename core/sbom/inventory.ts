import { finalFacts, type ReadImage, rootFsOf } from "../analysis.ts";
import type { OsRelease, PackageFact } from "../packages.ts";
import { purl, pypiName } from "./purl.ts";

/** Where packages of a kind come from, by their package URL's type. */
export type PackageType = "apk" | "cargo" | "deb" | "golang" | "npm" | "pypi";

/** A package that an image holds. */
export interface Component {
  readonly type: PackageType;
  /** As its ecosystem writes it. @example "@types/node", "golang.org/x/sys", "pydantic-core" */
  readonly name: string;
  readonly version: string;
  /** Absent for what no registry has under this name: a program built from a checkout. */
  readonly purl?: string;
  /** The source package of a Debian package, where it has another name or version: advisories name that. */
  readonly source?: { readonly name: string; readonly version: string };
  /** The files that say so, relative to the root: a database, a package.json, the program itself. Sorted. */
  readonly paths: readonly string[];
}

/** What one platform of an image consists of. */
export interface Inventory {
  readonly platform: string;
  /** Of the platform's manifest. */
  readonly digest: string;
  /** Absent for an image without a distribution. */
  readonly os?: OsRelease;
  /** By type, name, version. */
  readonly components: readonly Component[];
}

/**
 * The packages that are really in an image: what its databases, package folders and programs say that a container sees,
 * not what a Dockerfile asked for.
 * @example inventoryOf(image).components.map((c) => c.purl) // ["pkg:deb/debian/bash@5.2.15-2%2Bb8?arch=amd64&distro=debian-12", …]
 */
export function inventoryOf(image: ReadImage): Inventory {
  const facts = finalFacts(image, rootFsOf(image).files());
  const found = [...facts.values()].find((fact) => fact.kind === "os");
  const os = found && { id: found.id, version: found.version, name: found.name };
  const all = [...facts].flatMap(([path, fact]) => componentsOf(fact, os).map((c) => ({ ...c, paths: [path] })));
  return { platform: image.platform, digest: image.digest, ...(os && { os }), components: merge(all) };
}

type Named = Omit<Component, "paths">;

function componentsOf(fact: PackageFact, os: OsRelease | undefined): Named[] {
  switch (fact.kind) {
    case "dpkg-status":
      return fact.entries.map(({ name, version, architecture: arch, source }) => {
        const upstream = source && `${source.name}${source.version === version ? "" : `@${source.version}`}`;
        const id = purl({
          ...distribution("deb", os, "debian"),
          name,
          version,
          qualifiers: { arch, upstream, ...on(os) },
        });
        return { type: "deb", name, version, purl: id, ...(source && { source }) };
      });
    case "apk":
      return fact.packages.map(({ name, version }) => {
        const id = purl({ ...distribution("apk", os, "alpine"), name, version, qualifiers: on(os) });
        return { type: "apk", name, version, purl: id };
      });
    case "pip":
      return [published("pypi", undefined, pypiName(fact.name), fact.version)];
    case "npm":
      return [npm(fact.name, fact.version)];
    case "cargo":
      return cargo(fact);
    case "go":
      return go(fact);
    default:
      return [];
  }
}

const distribution = (type: "deb" | "apk", os: OsRelease | undefined, usual: string) => ({
  type,
  namespace: os?.id ?? usual,
});

const on = (os: OsRelease | undefined) => ({ distro: os?.version ? `${os.id}-${os.version}` : undefined });

function published(type: PackageType, namespace: string | undefined, name: string, version: string): Named {
  const full = namespace === undefined ? name : `${namespace}/${name}`;
  return { type, name: full, version, purl: purl({ type, namespace, name, version }) };
}

function npm(name: string, version: string): Named {
  const [, scope, own = name] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
  return published("npm", scope, own, version);
}

/** The program is its own root crate, which need not be the one that crates.io has under that name. */
function cargo({ name, version, crates, own = [] }: Extract<PackageFact, { kind: "cargo" }>): Named[] {
  const linked = crates.map((crate): Named => {
    const [crateName = "", crateVersion = ""] = crate.split(" ");
    if (own.includes(crate)) return { type: "cargo", name: crateName, version: crateVersion };
    return published("cargo", undefined, crateName, crateVersion);
  });
  return [{ type: "cargo", name, version }, ...linked];
}

function go({ go: release, main, modules }: Extract<PackageFact, { kind: "go" }>): Named[] {
  const library = published("golang", undefined, "stdlib", release);
  return [
    library,
    ...[main, ...modules].map(({ path, version }): Named => {
      // A checkout, or a folder beside it that took a module's place.
      if (version === "" || version === "(devel)") return { type: "golang", name: path, version };
      const slash = path.lastIndexOf("/");
      return published("golang", slash < 0 ? undefined : path.slice(0, slash), path.slice(slash + 1), version);
    }),
  ];
}

/** One component for each package and version: an npm tree holds the same one in many places. */
function merge(all: readonly Component[]): Component[] {
  const rows = new Map<string, Component>();
  for (const component of all) {
    const key = orderOf(component);
    const row = rows.get(key);
    rows.set(key, row ? { ...row, paths: [...new Set([...row.paths, ...component.paths])].toSorted() } : component);
  }
  return [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, component]) => component);
}

/** A distribution may have a package for several architectures. */
const orderOf = ({ type, name, version, purl: id = "" }: Component): string => [type, name, version, id].join("\0");
