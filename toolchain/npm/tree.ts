import { copyFile, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Artifact } from "../../core/artifact.ts";
import { UserError } from "../../core/error.ts";
import { type NpmPlace, npmTree } from "../../core/npm-tree.ts";
import { debianArch, type Platform } from "../../core/platform.ts";
import { npmArtifact } from "../image-lock.ts";
import { scratch } from "../leftovers.ts";
import { mapBounded } from "../parallel.ts";
import { runClient } from "../store/clients.ts";
import type { Store } from "../store.ts";

const names = z.record(z.string(), z.string()).optional();
const list = z.array(z.string()).optional();
const npmLock = z.object({
  lockfileVersion: z.literal(3),
  packages: z.record(
    z.string(),
    z.object({
      name: z.string().optional(),
      version: z.string().optional(),
      resolved: z.string().optional(),
      integrity: z.string().optional(),
      inBundle: z.boolean().optional(),
      dependencies: names,
      optionalDependencies: names,
      peerDependencies: names,
      os: list,
      cpu: list,
      libc: list,
    }),
  ),
});

export interface NpmTreeInput {
  /** The tree's name: its packages lie in `npm/<name>/`. */
  readonly name: string;
  /** package.json with exact versions and overrides. */
  readonly file: string;
  readonly without: readonly string[];
  readonly platforms: readonly Platform[];
  readonly store: Store;
}

/**
 * Resolves a package.json with npm and pins the whole tree: one tarball per place, `npm/<name>/all/node_modules/a.tgz`,
 * so that a build unpacks each where it stands and needs no npm. What one architecture alone needs is under `amd64` or
 * `arm64` instead of `all`, and there on each platform, as Debian packages are: a build may run the tree of the
 * platform that builds, to make that of another.
 * @throws UserError for a package that no registry has, such as one from git
 */
export async function lockNpmTree(input: NpmTreeInput): Promise<Artifact[]> {
  const packages = await resolve(input);
  const trees = input.platforms.map((platform) => ({
    platform,
    places: npmTree(packages, platform, input.without),
  }));
  const specs = [...new Set(trees.flatMap((t) => t.places.map(specOf)))];
  const fetched = await mapBounded(specs, 160, (spec) => npmArtifact(spec, input.store));
  const bySpec = new Map(specs.map((spec, i) => [spec, fetched[i] as Omit<Artifact, "file">]));
  const artifacts = new Map<string, { place: NpmPlace; platforms: Platform[] }>();
  for (const { platform, places } of trees)
    for (const place of places) {
      const known = artifacts.get(place.path) ?? { place, platforms: [] };
      known.platforms.push(platform);
      artifacts.set(place.path, known);
    }
  return [...artifacts.values()].flatMap(({ place, platforms }) => {
    const artifact = bySpec.get(specOf(place)) as Omit<Artifact, "file">;
    if (place.integrity !== undefined && place.integrity !== artifact.integrity)
      throw new UserError(
        `${specOf(place)}: npm's lock has ${place.integrity}, the registry gave ${artifact.integrity}`,
        "ask the registry's owner: a published package was replaced",
      );
    const folders = platforms.length === input.platforms.length ? ["all"] : platforms.map(debianArch);
    return folders.map((folder) => ({ ...artifact, file: `npm/${input.name}/${folder}/${place.path}.tgz` }));
  });
}

function specOf({ name, version }: NpmPlace): string {
  return `${name}@${version}`;
}

async function resolve({ name, file, store }: NpmTreeInput) {
  const dir = await scratch(join(store.dir, "tmp"), "tree");
  try {
    await copyFile(file, join(dir, "package.json"));
    const args = ["install", "--package-lock-only", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"];
    await runClient("npm", args, dir, `npm's resolution of ${file}`, "install npm (it comes with Node)");
    const parsed = npmLock.safeParse(JSON.parse(await readFile(join(dir, "package-lock.json"), "utf8")));
    if (!parsed.success)
      throw new UserError(`npm tree ${name}: npm wrote a lock that keelson can't read`, "use npm 7 or newer");
    return parsed.data.packages;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
