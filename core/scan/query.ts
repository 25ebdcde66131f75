import type { OsRelease } from "../packages.ts";
import type { Component, Inventory } from "../sbom/inventory.ts";

/** A package as vulnerability databases know it (the OSV schema's `package`). */
export interface Package {
  /** @example "PyPI", "Debian:12" */
  readonly ecosystem: string;
  readonly name: string;
  readonly version: string;
}

/** What one image holds, under the name that findings call it by. */
export interface Scanned {
  readonly image: string;
  readonly inventory: Inventory;
}

/** A package with everything that holds it. */
export interface Held extends Package {
  /** In the order in which they were given: a base before what is built on it. */
  readonly images: readonly string[];
}

/** Packages to look up, each once, and those that no database covers. */
export interface Query {
  readonly packages: readonly Held[];
  /** By image: packages without a version, or of a distribution that is in no database or says not which one it is. */
  readonly uncovered: ReadonlyMap<string, number>;
}

/**
 * All packages of some images as vulnerability databases name them, each once.
 * @example queryOf([{ image: "worker", inventory }]).packages[0] // { ecosystem: "Debian:12", name: "bash", …, images: ["worker"] }
 */
export function queryOf(scanned: readonly Scanned[]): Query {
  const held = new Map<string, Package & { images: Set<string> }>();
  const uncovered = new Map<string, number>();
  for (const { image, inventory } of scanned) {
    for (const component of inventory.components) {
      // What no registry has under its name is in no advisory either.
      if (component.purl === undefined) continue;
      const found = component.version === "" ? undefined : packageOf(component, inventory.os);
      if (found === undefined) {
        uncovered.set(image, (uncovered.get(image) ?? 0) + 1);
        continue;
      }
      const key = packageKey(found);
      const row = held.get(key) ?? { ...found, images: new Set() };
      held.set(key, row);
      row.images.add(image);
    }
  }
  const packages = [...held]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { images, ...rest }]) => ({ ...rest, images: [...images] }));
  return { packages, uncovered };
}

/** Equal for the same package of the same version. */
export const packageKey = ({ ecosystem, name, version }: Package): string => [ecosystem, name, version].join("\0");

/** The part of a database that an ecosystem's advisories are in. @example databaseOf("Debian:12") // "Debian" */
export const databaseOf = (ecosystem: string): string => ecosystem.split(":")[0] ?? ecosystem;

function packageOf({ type, name, version, source }: Component, os: OsRelease | undefined): Package | undefined {
  switch (type) {
    case "deb": {
      const ecosystem = os && debianEcosystem(os);
      return ecosystem === undefined ? undefined : { ecosystem, name, version, ...source };
    }
    case "apk": {
      const release = os?.id === "alpine" ? /^\d+\.\d+/.exec(os.version)?.[0] : undefined;
      return release === undefined ? undefined : { ecosystem: `Alpine:v${release}`, name, version };
    }
    case "golang":
      return { ecosystem: "Go", name, version: version.replace(/^v/, "") };
    case "cargo":
      return { ecosystem: "crates.io", name, version };
    case "npm":
      return { ecosystem: "npm", name, version };
    case "pypi":
      return { ecosystem: "PyPI", name, version };
  }
}

/** As the OSV schema's list of ecosystems writes releases: Debian's by their number, Ubuntu's with what kind it is. */
function debianEcosystem({ id, version }: OsRelease): string | undefined {
  if (version === "") return undefined;
  if (id === "debian") return `Debian:${version}`;
  if (id !== "ubuntu") return undefined;
  const lts = /^(\d+)\.04$/.exec(version);
  return lts !== null && Number(lts[1]) % 2 === 0 ? `Ubuntu:${version}:LTS` : `Ubuntu:${version}`;
}
