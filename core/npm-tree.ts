import type { Platform } from "./platform.ts";

/** One package of an npm lock file (`packages` of a package-lock.json, version 3), as far as a tree needs it. */
export interface NpmEntry {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly resolved?: string | undefined;
  readonly integrity?: string | undefined;
  /** It comes inside another package's tarball. */
  readonly inBundle?: boolean | undefined;
  readonly dependencies?: Readonly<Record<string, string>> | undefined;
  readonly optionalDependencies?: Readonly<Record<string, string>> | undefined;
  readonly peerDependencies?: Readonly<Record<string, string>> | undefined;
  readonly os?: readonly string[] | undefined;
  readonly cpu?: readonly string[] | undefined;
  readonly libc?: readonly string[] | undefined;
}

/** A package in its place. */
export interface NpmPlace {
  /** `node_modules/a/node_modules/b` */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** As npm writes it, `sha512-…`; absent where the lock has none. */
  readonly integrity?: string;
}

const CPU: Readonly<Record<Platform, string>> = { "linux/amd64": "x64", "linux/arm64": "arm64" };

/**
 * What of an npm lock file belongs on a platform with glibc, without the packages whose names are left out and without
 * what only they need; sorted by path.
 * @example npmTree(lock.packages, "linux/arm64", ["node-llama-cpp", "@types/*"])
 */
export function npmTree(
  packages: Readonly<Record<string, NpmEntry>>,
  platform: Platform,
  without: readonly string[] = [],
): NpmPlace[] {
  const leftOut = (name: string) =>
    without.some((w) => (w.endsWith("*") ? name.startsWith(w.slice(0, -1)) : name === w));
  const reached = new Set<string>();
  const queue = [""];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    const { dependencies, optionalDependencies, peerDependencies } = packages[path] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const found = leftOut(name) ? undefined : resolve(packages, path, name);
      if (found !== undefined && fits(packages[found] ?? {}, platform)) queue.push(found);
    }
  }
  reached.delete("");
  return [...reached].toSorted().flatMap((path) => {
    const {
      name = path.slice(path.lastIndexOf("node_modules/") + 13),
      version = "",
      integrity,
      inBundle,
    } = packages[path] as NpmEntry;
    return inBundle ? [] : [{ path, name, version, ...(integrity === undefined ? {} : { integrity }) }];
  });
}

/** Where node finds a package from another one: beside its own dependencies, or further up. */
function resolve(packages: Readonly<Record<string, NpmEntry>>, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const path = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === "") return undefined;
  }
}

function fits({ os, cpu, libc }: NpmEntry, platform: Platform): boolean {
  return allows(os, "linux") && allows(cpu, CPU[platform]) && allows(libc, "glibc");
}

/** npm's lists: names that are allowed, or with `!` names that are not. */
function allows(list: readonly string[] | undefined, value: string): boolean {
  if (list === undefined || list.length === 0) return true;
  if (list.includes(`!${value}`)) return false;
  return list.includes(value) || list.every((entry) => entry.startsWith("!"));
}
