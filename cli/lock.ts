import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { readArtifactLock, readBasesLock, readDefinitions, readJson } from "../config/catalogue.ts";
import type { Artifact, ArtifactLock } from "../core/artifact.ts";
import { artifactChanges, formatChanges, sortArtifacts } from "../core/artifact-changes.ts";
import { UserError } from "../core/error.ts";
import { lockHash } from "../core/hash.ts";
import type { ImageDefinition } from "../core/image.ts";
import { buildOrder } from "../core/lineage.ts";
import { home, prepareHome, projectRoot } from "../toolchain/home.ts";
import { lockImage, type PackageRequests, packageRequests } from "../toolchain/image-lock.ts";
import { writeLockFile } from "../toolchain/lock-file.ts";
import { lockImagePython, pinsFile } from "../toolchain/python/image.ts";
import { openStore } from "../toolchain/store.ts";

const REQUESTS = "packages.json";
const LOCK = "packages.lock.json";

/** `keelson lock`: resolves what images want (packages.json) and pins it by hash (packages.lock.json). */
export function lockCommand(): Command {
  return new Command("lock")
    .description("pin anew the packages of images (packages.json → packages.lock.json), and show what moved")
    .argument("[image...]", "default: all that have a packages.json")
    .action(lock);
}

async function lock(names: string[]): Promise<void> {
  const root = projectRoot();
  const all = (await readDefinitions(root)).map((d) => d.definition);
  const unknown = names.filter((n) => !all.some((d) => d.name === n));
  if (unknown.length > 0)
    throw new UserError(
      `no image of the catalogue: ${unknown.join(", ")}`,
      `write some of: ${all.map((d) => d.name).join(", ")}`,
    );
  const tmp = join(prepareHome().tmp, `resolve-${process.pid}`);
  await mkdir(tmp, { recursive: true });
  try {
    // In build order: an image is resolved against the new locks of those below it.
    for (const definition of buildOrder(all)) {
      if (names.length > 0 && !names.includes(definition.name)) continue;
      if (existsSync(folderFile(root, definition, REQUESTS))) await lockOne(root, definition, all, tmp);
    }
  } finally {
    await rm(tmp, { recursive: true, force: true });
  }
}

async function lockOne(root: string, image: ImageDefinition, all: readonly ImageDefinition[], tmp: string) {
  console.log(image.name);
  const lineage = below(image, all);
  const bottom = lineage.at(-1)?.base ?? image.base;
  const base = readBasesLock(root).bases.find((b) => b.name === bottom);
  if (base === undefined)
    throw new UserError(`${image.name}: its base ${bottom} is not locked`, "add it to images/bases.lock.json");
  const withRequests = [image, ...lineage].filter((d) => existsSync(folderFile(root, d, REQUESTS)));
  const requests = readRequests(root, image);
  const locks = withRequests
    .slice(withRequests[0] === image ? 1 : 0)
    .map((d) => readArtifactLock(root, `images/${d.name}/${LOCK}`));
  const packages = await lockImage({
    requests,
    platforms: image.platforms,
    base,
    below: locks,
    standIns: withRequests.flatMap((d) =>
      readRequests(root, d).standIns.map((file) => readFileSync(folderFile(root, d, file), "utf8")),
    ),
    store: openStore(home().store),
    tmp,
  });
  const wheels = await lockWheels(root, image, requests, locks);
  const lock = { ...packages, artifacts: sortArtifacts([...packages.artifacts, ...wheels]) };
  const file = folderFile(root, image, LOCK);
  const before: ArtifactLock = existsSync(file)
    ? readArtifactLock(root, `images/${image.name}/${LOCK}`)
    : { artifacts: [] };
  if (lockHash(before) === lockHash(lock)) return console.log("  as before");
  console.log(formatChanges(artifactChanges(before, lock)).replaceAll(/^/gm, "  "));
  await writeLockFile(file, lock);
}

/** The wheels of an image, pip's own among them; writes the locks that pip reads beside its requirements. */
async function lockWheels(
  root: string,
  image: ImageDefinition,
  { python }: PackageRequests,
  below: readonly ArtifactLock[],
): Promise<readonly Artifact[]> {
  if (python === undefined) return [];
  const { artifacts, pins } = await lockImagePython({
    requirements: readFileSync(folderFile(root, image, python.requirements), "utf8"),
    file: `images/${image.name}/${python.requirements}`,
    python: python.version,
    platforms: image.platforms,
    below,
    store: openStore(home().store),
  });
  for (const [arch, text] of Object.entries(pins))
    await writeFile(folderFile(root, image, pinsFile(python.requirements, arch)), text);
  return artifacts;
}

/** The images that an image is built on, nearest first. */
function below(image: ImageDefinition, all: readonly ImageDefinition[]): ImageDefinition[] {
  const base = all.find((d) => d.name === image.base);
  return base === undefined ? [] : [base, ...below(base, all)];
}

function folderFile(root: string, image: ImageDefinition, file: string): string {
  return join(root, "images", image.name, file);
}

function readRequests(root: string, image: ImageDefinition) {
  return readJson(root, `images/${image.name}/${REQUESTS}`, packageRequests, "correct it");
}
