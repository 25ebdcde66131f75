import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Finding, sortFindings } from "../core/finding.ts";
import { builderNodes, unreachableRegistry } from "../core/nodes.ts";
import { type CatalogueImage, makePlan, type Plan } from "../core/plan.ts";
import type { Platform } from "../core/platform.ts";
import type { Revision } from "../core/tags.ts";
import { baseOrigin } from "../toolchain/upstream.ts";
import { readBasesLock, readCatalogue } from "./catalogue.ts";
import { pythonLocks } from "./python-locks.ts";
import { gitRevision } from "./revision.ts";
import type { StackConfig } from "./schema.ts";

/** What of a plan does not follow from the project's files. */
export interface Surroundings {
  /** The platform of the machine that builds. */
  readonly host: Platform;
  readonly revision: Revision | undefined;
}

/** What this machine and checkout say. */
export async function surroundings(root: string): Promise<Surroundings> {
  return { host: process.arch === "arm64" ? "linux/arm64" : "linux/amd64", revision: await gitRevision(root) };
}

/**
 * Reads the catalogue and works out a stack's plan.
 * @example const { plan, findings } = await loadPlan(root, "dev", readStackFile(root, "dev"), surroundings(root));
 */
export async function loadPlan(
  root: string,
  stack: string,
  config: StackConfig,
  around: Surroundings | Promise<Surroundings>,
): Promise<{
  readonly plan: Plan;
  readonly findings: readonly Finding[];
  readonly catalogue: readonly CatalogueImage[];
}> {
  const [{ catalogue, others }, { host, revision }] = await Promise.all([readCatalogue(root, config.images), around]);
  const registry = config.registry === "embedded" ? { host: "embedded", prefix: "" } : config.registry;
  const bases = readBasesLock(root);
  const made = makePlan({
    stack,
    registry: registry.host,
    prefix: registry.prefix ?? "",
    images: config.images,
    platforms: config.platforms,
    catalogue,
    others,
    bases,
    baseOrigin: config.bases === "auto" ? await baseOrigin(bases.bases) : config.bases,
    nodes: builderNodes(config.builder, host),
    revision,
    source: repository(root),
  });
  const locks = pythonLocks(
    root,
    catalogue,
    made.plan.images.map((image) => image.name),
  );
  const away = unreachableRegistry(config.builder, config.registry);
  return { plan: made.plan, findings: sortFindings([...made.findings, ...locks, ...away]), catalogue };
}

/** The project's home, as package.json names it. */
function repository(root: string): string | undefined {
  const { repository } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { repository?: string };
  return repository;
}
