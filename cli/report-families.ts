import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { cudaRecord } from "../config/cuda-record.ts";
import { UserError } from "../core/error.ts";
import type { Plan } from "../core/plan.ts";
import { type FamiliesReport, makeFamiliesReport, SINGLE_STAGE, singleStageHash } from "../core/report/families.ts";
import { imageEntries, platformName } from "../oci/platforms.ts";
import { findTargets, type Stack, type Target } from "./targets.ts";

const PLATFORM = "linux/amd64";
const record = z.object({ platform: z.literal(PLATFORM), compressed: z.int().positive(), builtFrom: z.string() });

/**
 * Holds the families that a stack's services stand on against what they were and against one stage.
 * @throws UserError where the stack has no services, or a record of one stage is of other files
 */
export async function familiesOf(stack: Stack, root: string): Promise<FamiliesReport> {
  const names = families(stack.plan);
  if (names.length === 0)
    throw new UserError(`stack ${stack.name} runs no services of the fleet`, "name one that has a machine: -s mainpc");
  const inputs = [];
  for (const target of await findTargets(async () => stack, names)) {
    const singleStage = singleStageOf(root, target.name);
    const gpu = target.planned?.cuda !== undefined;
    const found = await compressedOf(target);
    const compressed = found ?? (target.planned && cudaRecord(root, target.planned, PLATFORM)?.compressed);
    const recorded = found === undefined && compressed !== undefined;
    inputs.push({ name: target.name, gpu, compressed, ...(recorded ? { recorded } : {}), singleStage });
  }
  return makeFamiliesReport(PLATFORM, inputs);
}

/** Images that images of services are made from, in the plan's order. */
function families({ images }: Plan): string[] {
  const below = new Set(images.filter(({ family }) => family === "service").map(({ base }) => base.name));
  return images.filter(({ name, family }) => family !== "service" && below.has(name)).map(({ name }) => name);
}

/** Undefined where the registry lacks it. */
async function compressedOf({ client, repository, reference }: Target): Promise<number | undefined> {
  const found = await client.findManifest(repository, reference);
  if (found?.document.kind !== "index") return undefined;
  const entry = imageEntries(found.document.index).find(({ platform }) => platformName(platform) === PLATFORM);
  const manifest = entry && (await client.findManifest(repository, entry.digest));
  if (manifest?.document.kind !== "manifest") return undefined;
  return manifest.document.manifest.layers.reduce((sum, { size }) => sum + size, 0);
}

/** What bench single-stage has measured of a family; undefined for others. */
export function singleStageOf(root: string, image: string): number | undefined {
  const locks = SINGLE_STAGE[image];
  if (locks === undefined) return undefined;
  const read = (file: string) => readFileSync(join(root, file), "utf8");
  const file = `images/${image}/single-stage.json`;
  const { compressed, builtFrom } = record.parse(JSON.parse(read(file)));
  const now = singleStageHash(read("bench/single-stage/Dockerfile"), locks.map(read).join(""));
  if (now === builtFrom) return compressed;
  throw new UserError(
    `${file} is of other requirements than images/${image} has now`,
    "measure it anew: npm run bench -- single-stage",
  );
}
