import { existsSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { readArtifactLock, readBasesLock, readDefinitions, readJson, requestsOf } from "../config/catalogue.ts";
import type { Artifact, ArtifactLock } from "../core/artifact.ts";
import { artifactChanges, formatChanges, sortArtifacts } from "../core/artifact-changes.ts";
import { UserError } from "../core/error.ts";
import { lockHash } from "../core/hash.ts";
import type { ImageDefinition } from "../core/image.ts";
import { buildOrder } from "../core/lineage.ts";
import { pinsFile } from "../core/python-lock.ts";
import { home, prepareHome, projectRoot } from "../toolchain/home.ts";
import { lockImage, type PackageRequests, packageRequests } from "../toolchain/image-lock.ts";
import { scratch } from "../toolchain/leftovers.ts";
import { writeLockFile } from "../toolchain/lock-file.ts";
import { lockNpmTree } from "../toolchain/npm/tree.ts";
import { lockImagePython } from "../toolchain/python/image.ts";
import { openStore } from "../toolchain/store.ts";

/** An image definition with its folder, relative to the project. */
type Found = Awaited<ReturnType<typeof readDefinitions>>[number];

/** `keelson lock`: resolves what images want (packages.json) and pins it by hash (packages.lock.json). */
export function lockCommand(): Command {
  return new Command("lock")
    .description("pin anew the packages of images (packages.json → packages.lock.json), and show what moved")
    .argument("[image...]", "images, or families such as python; default: all that have a packages.json")
    .action(lock);
}

async function lock(names: string[]): Promise<void> {
  const root = projectRoot();
  const all = await readDefinitions(root);
  const chosen = imagesOf(
    names,
    all.map((d) => d.definition),
  );
  const tmp = await scratch(prepareHome().tmp, "resolve");
  const written = new Set<string>();
  try {
    // In build order: an image is resolved against the new locks of those below it.
    for (const { name } of buildOrder(all.map((d) => d.definition))) {
      const image = all.find((d) => d.definition.name === name) as Found;
      if (names.length > 0 && !chosen.includes(name)) continue;
      if (!hasRequests(root, image) || written.has(lockFile(image))) continue;
      written.add(lockFile(image));
      await lockOne(root, image, all, tmp);
    }
  } finally {
    await rm(tmp, { recursive: true, force: true });
  }
}

/**
 * Images by their names or their families' names.
 * @example imagesOf(["python"], definitions) // ["base-cpu-pydeps", "base-python", …]
 * @throws UserError with all names that are neither.
 */
export function imagesOf(
  names: readonly string[],
  definitions: readonly Pick<ImageDefinition, "name" | "family">[],
): string[] {
  const found = names.map((name) => {
    const named = definitions.filter((one) => one.name === name);
    return { name, images: named.length > 0 ? named : definitions.filter(({ family }) => family === name) };
  });
  const unknown = found.filter(({ images }) => images.length === 0).map(({ name }) => name);
  if (unknown.length > 0) {
    const [images, families] = (["name", "family"] as const).map((key) => [
      ...new Set(definitions.map((one) => one[key]).toSorted()),
    ]);
    throw new UserError(
      `no image of the catalogue, and no family: ${unknown.join(", ")}`,
      `write some of: ${images?.join(", ")}; or of the families ${families?.join(", ")}`,
    );
  }
  return [...new Set(found.flatMap(({ images }) => images.map(({ name }) => name)))];
}

async function lockOne(root: string, image: Found, all: readonly Found[], tmp: string) {
  const { definition } = image;
  console.log(definition.name);
  const lineage = below(image, all);
  const bottom = lineage.at(-1)?.definition.base ?? definition.base;
  const base = readBasesLock(root).bases.find((b) => b.name === bottom);
  if (base === undefined)
    throw new UserError(`${definition.name}: its base ${bottom} is not locked`, "add it to images/bases.lock.json");
  const withRequests = [image, ...lineage].filter((d) => hasRequests(root, d));
  const requests = readRequests(root, image);
  const locks = withRequests.slice(1).map((d) => readArtifactLock(root, lockFile(d)));
  const packages = await lockImage({
    requests,
    platforms: definition.platforms,
    base,
    below: locks,
    standIns: withRequests.flatMap((d) =>
      readRequests(root, d).standIns.map((file) => readFileSync(join(root, d.folder, file), "utf8")),
    ),
    store: openStore(home().store),
    tmp,
  });
  const wheels = await lockWheels(root, image, requests, locks);
  const trees = await lockTrees(root, image, requests);
  const lock = { ...packages, artifacts: sortArtifacts([...packages.artifacts, ...wheels, ...trees]) };
  const file = lockFile(image);
  const before: ArtifactLock = existsSync(join(root, file)) ? readArtifactLock(root, file) : { artifacts: [] };
  if (lockHash(before) === lockHash(lock)) return console.log("  as before");
  console.log(formatChanges(artifactChanges(before, lock)).replaceAll(/^/gm, "  "));
  await writeLockFile(join(root, file), lock);
}

async function lockTrees(
  root: string,
  { folder, definition }: Found,
  { npmTrees }: PackageRequests,
): Promise<readonly Artifact[]> {
  const locked: Artifact[] = [];
  for (const [name, tree] of Object.entries(npmTrees))
    locked.push(
      ...(await lockNpmTree({
        name,
        file: join(root, folder, tree.package),
        without: tree.without,
        platforms: definition.platforms,
        store: openStore(home().store),
      })),
    );
  return locked;
}

/** The wheels and sources of an image, pip's own among them; writes the locks that pip reads beside its requirements. */
async function lockWheels(
  root: string,
  { folder, definition }: Found,
  { python }: PackageRequests,
  below: readonly ArtifactLock[],
): Promise<readonly Artifact[]> {
  if (python === undefined) return [];
  const { requirements, build } = python;
  const text = (file: string) => ({
    requirements: readFileSync(join(root, folder, file), "utf8"),
    file: `${folder}/${file}`,
  });
  const { artifacts, pins, sourcePins, buildPins } = await lockImagePython({
    ...text(requirements),
    python: python.version,
    overrides: python.overrides,
    sources: python.sources,
    ...(build === undefined ? {} : { build: text(build) }),
    platforms: definition.platforms,
    below,
    store: openStore(home().store),
  });
  const write = (file: string, pinned: string) => writeFile(join(root, folder, file), pinned);
  for (const [arch, pinned] of Object.entries(pins)) await write(pinsFile(requirements, arch), pinned);
  for (const [arch, pinned] of Object.entries(sourcePins)) await write(pinsFile(requirements, arch, "sources"), pinned);
  if (build !== undefined)
    for (const [arch, pinned] of Object.entries(buildPins)) await write(pinsFile(build, arch), pinned);
  return artifacts;
}

/** The images that an image is built on, nearest first. */
function below({ definition }: Found, all: readonly Found[]): Found[] {
  const base = all.find((d) => d.definition.name === definition.base);
  return base === undefined ? [] : [base, ...below(base, all)];
}

/** The lock of an image, relative to the project: the one that its definition names. */
function lockFile({ folder, definition }: Found): string {
  const lock = Object.values(definition.contexts ?? {}).find((c) => "lock" in c);
  return `${folder}/${lock?.lock ?? "packages.lock.json"}`;
}

/** What it is resolved from stands beside it. @example "images/worker-minimal/packages.json" */
function requestsFile(image: Found): string {
  return requestsOf(lockFile(image));
}

function hasRequests(root: string, image: Found): boolean {
  return existsSync(join(root, requestsFile(image)));
}

function readRequests(root: string, image: Found) {
  return readJson(root, requestsFile(image), packageRequests, "correct it");
}
