import semver from "semver";
import { parse } from "smol-toml";
import type { Finding } from "./finding.ts";
import { hint } from "./lineage.ts";
import type { SOURCE_LABELS } from "./source.ts";

/** What is asked of a Cargo workspace, and what is in it. */
export interface CargoWorkspace {
  /** What findings are about. @example "keelson:sources.weft" */
  readonly subject: string;
  /** The workspace's folder, as people know it. */
  readonly folder: string;
  readonly package: string;
  /** Absent: the package's library. */
  readonly binary?: string | undefined;
  /** Every file of the workspace that a build sees, relative to it, with slashes. */
  readonly files: readonly string[];
  /** Texts of those that are named Cargo.toml. */
  readonly manifests: ReadonlyMap<string, string>;
  /** Version of the compiler, where it is known. @example "1.96.0" */
  readonly rust?: string | undefined;
}

type Table = Readonly<Record<string, unknown>>;

/**
 * What keeps a package of a workspace from being built, as far as its manifests say: cargo itself would say it minutes
 * later.
 * @example cargoFindings({ …, package: "wetf-cli" })[0]?.fix // "write one of: weft-cli, weft-gateway; did you mean …"
 */
export function cargoFindings(workspace: CargoWorkspace): Finding[] {
  const { files, manifests, folder } = workspace;
  const finding = (rule: string, message: string, fix: string): Finding[] => [
    { rule: `source/${rule}`, severity: "error", subject: workspace.subject, message, fix },
  ];
  if (!files.includes("Cargo.toml"))
    return finding(
      "no-workspace",
      `${folder} holds no Cargo.toml`,
      "name a folder that holds a Cargo workspace or package, and keep its Cargo.toml out of its .dockerignore",
    );
  const packages = new Map<string, { readonly dir: string; readonly manifest: Table }>();
  for (const [file, text] of manifests) {
    let manifest: Table;
    try {
      manifest = parse(text);
    } catch (error) {
      return finding("manifest", `${folder}/${file} is no TOML: ${firstLine(error)}`, "correct it");
    }
    const name = table(manifest.package).name;
    if (typeof name === "string") packages.set(name, { dir: file.slice(0, -"Cargo.toml".length), manifest });
  }
  const lock = files.includes("Cargo.lock")
    ? []
    : finding(
        "no-lock",
        `${folder} holds no Cargo.lock: what it is built from would be another thing every day`,
        "run `cargo generate-lockfile`, commit the file, and keep it out of .gitignore and .dockerignore",
      );
  const found = packages.get(workspace.package);
  if (found === undefined)
    return [
      ...lock,
      ...finding(
        "package",
        `${folder} has no package "${workspace.package}"`,
        oneOf(workspace.package, packages.keys()),
      ),
    ];
  const binaries = binariesOf(workspace.package, found.manifest, found.dir, files);
  const { binary } = workspace;
  const target =
    binary === undefined
      ? isLoadable(found.manifest)
        ? []
        : finding(
            "library",
            `package ${workspace.package} of ${folder} is no library that others load`,
            'write crate-type = ["cdylib"] below [lib] in its Cargo.toml, or name a package that has it',
          )
      : binaries.includes(binary)
        ? []
        : finding(
            "binary",
            `package ${workspace.package} of ${folder} has no binary "${binary}"`,
            oneOf(binary, binaries),
          );
  const root = manifests.get("Cargo.toml");
  const wanted = rustVersion(found.manifest, root === undefined ? {} : parse(root));
  const rust =
    workspace.rust !== undefined && wanted !== undefined && olderThan(workspace.rust, wanted)
      ? finding(
          "rust-version",
          `package ${workspace.package} of ${folder} wants rust ${wanted}, the image's compiler is ${workspace.rust}`,
          "run `npm run keelson -- lock` on the image for a newer compiler, or lower rust-version",
        )
      : [];
  return [...lock, ...target, ...rust];
}

/**
 * What a package's manifest says of it, for the arguments that an image's OCI labels are made from; "" for what it does not say.
 * @example cargoArgs("weft-cli", manifests) // { VERSION: "1.4.0", SOURCE: "https://github.com/…", DESCRIPTION: "…" }
 */
export function cargoArgs(
  name: string,
  manifests: ReadonlyMap<string, string>,
): Readonly<Record<(typeof SOURCE_LABELS)[number], string>> {
  const parsed = [...manifests.values()].flatMap((text): Table[] => {
    try {
      return [parse(text)];
    } catch {
      return []; // which cargoFindings tells
    }
  });
  const root = parsed.find((manifest) => manifest.workspace !== undefined) ?? {};
  const own = parsed.find((manifest) => table(manifest.package).name === name) ?? {};
  const said = (key: string) => {
    const value = inherited(own, root, key);
    return typeof value === "string" ? value : "";
  };
  return { VERSION: said("version"), SOURCE: said("repository"), DESCRIPTION: said("description") };
}

function isLoadable(manifest: Table): boolean {
  const kinds = table(manifest.lib)["crate-type"];
  return Array.isArray(kinds) && kinds.includes("cdylib");
}

/** By Cargo's rules: [[bin]] tables, src/main.rs under the package's name, src/bin/NAME.rs and src/bin/NAME/main.rs. */
function binariesOf(name: string, manifest: Table, dir: string, files: readonly string[]): string[] {
  const named = (Array.isArray(manifest.bin) ? manifest.bin : []).map((bin) => table(bin));
  const found = new Set(named.flatMap((bin) => (typeof bin.name === "string" ? [bin.name] : [])));
  if (table(manifest.package).autobins !== false) {
    const taken = new Set(named.map((bin) => bin.path));
    if (files.includes(`${dir}src/main.rs`) && !taken.has("src/main.rs")) found.add(name);
    for (const file of files) {
      if (!file.startsWith(`${dir}src/bin/`)) continue;
      const own = /^([^/]+)(?:\.rs|\/main\.rs)$/.exec(file.slice(`${dir}src/bin/`.length))?.[1];
      if (own !== undefined) found.add(own);
    }
  }
  return [...found].toSorted();
}

function rustVersion(manifest: Table, root: Table): string | undefined {
  const version = inherited(manifest, root, "rust-version");
  return typeof version === "string" ? version : undefined;
}

/** A key of a package's own, or its workspace's where it says so. */
function inherited(manifest: Table, root: Table, key: string): unknown {
  const own = table(manifest.package)[key];
  return table(own).workspace === true ? table(table(root.workspace).package)[key] : own;
}

function olderThan(rust: string, wanted: string): boolean {
  const [is, asked] = [semver.coerce(rust), semver.coerce(wanted)];
  return is !== null && asked !== null && semver.lt(is, asked);
}

function oneOf(wrong: string, names: Iterable<string>): string {
  const known = [...names].toSorted();
  return known.length === 0 ? "name a package that has one" : `write one of: ${known.join(", ")}${hint(wrong, known)}`;
}

function table(value: unknown): Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Table) : {};
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
