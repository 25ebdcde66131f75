import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { readArtifactLock, readDefinitions } from "../../config/catalogue.ts";
import { SOURCE_DATE_EPOCH } from "../../core/epoch.ts";
import { lockHash } from "../../core/hash.ts";
import type { ImageDefinition } from "../../core/image.ts";
import { type Platform, platformSlug } from "../../core/platform.ts";
import { home } from "../../toolchain/home.ts";
import { openStore, stageLock } from "../../toolchain/store.ts";

/** An image of the catalogue as buildctl builds it. */
export interface CatalogueBuild {
  readonly definition: ImageDefinition;
  /** Folder with its Dockerfile. */
  readonly folder: string;
  /** Base, epoch, arguments, target and named contexts, in buildctl's words. */
  readonly options: readonly string[];
}

/**
 * @param base the reference that its FROM is to be
 * @param work locked packages are put into folders of their own in here
 */
export async function catalogueBuild(
  root: string,
  name: string,
  platform: Platform,
  base: string,
  work: string,
): Promise<CatalogueBuild> {
  const found = (await readDefinitions(root)).find(({ definition }) => definition.name === name);
  assert.ok(found);
  const folder = join(root, found.folder);
  const options = [`build-arg:BASE_IMAGE=${base}`, `build-arg:SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH}`];
  for (const [name, value] of Object.entries(found.definition.args ?? {})) options.push(`build-arg:${name}=${value}`);
  if (found.definition.target !== undefined) options.push(`target=${found.definition.target}`);
  const locals: string[] = [];
  for (const [context, source] of Object.entries(found.definition.contexts ?? {})) {
    if ("base" in source) continue; // its lock stands in for it
    let dir = join(folder, "path" in source ? source.path : "");
    if ("lock" in source) {
      const lock = readArtifactLock(root, `${found.folder}/${source.lock}`);
      dir = join(await mkdtemp(join(work, "staged-")), `${lockHash(lock).slice(0, 12)}-${platformSlug(platform)}`);
      await stageLock(lock, platform, dir, openStore(home().store));
    }
    locals.push("--local", `${context}=${dir}`);
    options.push(`context:${context}=local:${context}`);
  }
  return { definition: found.definition, folder, options: [...locals, ...options.flatMap((o) => ["--opt", o])] };
}
