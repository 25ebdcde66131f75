import { type Dockerfile, parseDockerfile } from "../core/dockerfile.ts";
import { type Finding, sortFindings } from "../core/finding.ts";
import type { GateSettings } from "../core/gate-settings.ts";
import type { CatalogueImage, Plan } from "../core/plan.ts";
import { judgeDockerfile } from "./index.ts";

/** A plan with what it was made from. */
export interface LoadedPlan {
  readonly plan: Plan;
  /** What making the plan found: these stand whatever the gates' settings are. */
  readonly findings: readonly Finding[];
  readonly catalogue: readonly CatalogueImage[];
}

/**
 * All that is to be said of a plan before anything is built: what making it found, and the gates on the Dockerfiles of
 * its images, under the stack's settings.
 */
export function judgePlan({ plan, findings, catalogue }: LoadedPlan, settings: GateSettings = {}): Finding[] {
  const names = new Set(plan.images.map((i) => i.name));
  const judged = catalogue
    .filter((c) => names.has(c.definition.name))
    .flatMap((c) => judgeDockerfile({ name: c.definition.name, dockerfile: parse(c) }, settings));
  return sortFindings([...findings, ...judged]);
}

function parse({ dockerfile, folder }: CatalogueImage): Dockerfile {
  return parseDockerfile(dockerfile, `${folder}/Dockerfile`);
}
