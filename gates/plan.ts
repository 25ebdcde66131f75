import { type Dockerfile, parseDockerfile } from "../core/dockerfile.ts";
import { type Finding, sortFindings } from "../core/finding.ts";
import { applySettings, type GateSettings } from "../core/gate-settings.ts";
import type { HadolintReport } from "../core/hadolint.ts";
import type { MachinePlan } from "../core/machine-plan.ts";
import type { CatalogueImage, Plan } from "../core/plan.ts";
import { judgeDockerfile } from "./dockerfiles.ts";
import { hadolintObstacle } from "./hadolint.ts";

/** A plan with what it was made from. */
export interface LoadedPlan {
  readonly plan: Plan;
  /** What making the plan found: these stand whatever the gates' settings are, but for {@link SETTABLE}. */
  readonly findings: readonly Finding[];
  readonly catalogue: readonly CatalogueImage[];
  readonly machine?: MachinePlan;
  /** Gives findings about the stack's config the lines of its file. Default: they stay as they are. */
  readonly place?: (findings: readonly Finding[]) => Promise<readonly Finding[]>;
}

/** Of what making a plan finds, that which a stack may live with. */
const SETTABLE = ["fleet", "prisma"];

/**
 * All that is to be said of a plan before anything is built: what making it found, and the gates on the Dockerfiles of
 * its images and on its machine, under the stack's settings, which hold for what was found of {@link SETTABLE} as well.
 * @param hadolint what it said of the Dockerfiles; none: it was not asked
 */
export async function judgePlan(
  { plan, findings, catalogue, machine, place = async (found) => found }: LoadedPlan,
  settings: GateSettings = {},
  hadolint: HadolintReport = { hits: new Map() },
): Promise<Finding[]> {
  const names = new Set(plan.images.map((i) => i.name));
  const judged = catalogue
    .filter((c) => names.has(c.definition.name))
    .flatMap((c) => {
      const { name } = c.definition;
      return judgeDockerfile({ name, dockerfile: parse(c), hadolint: hadolint.hits.get(name) ?? [] }, settings);
    });
  const isSet = Object.keys(settings.severity ?? {}).length + (settings.allow ?? []).length > 0;
  const settable = findings.filter((f) => SETTABLE.includes(f.rule.split("/")[0] ?? ""));
  const all = sortFindings([
    ...findings.filter((f) => !settable.includes(f)),
    ...applySettings([...settable, ...hadolintObstacle(hadolint)], settings),
    ...judged,
    ...(isSet ? (await import("./settings.ts")).settingsFindings(settings) : []),
    ...(machine === undefined ? [] : (await import("./machine.ts")).judgeMachine(machine, settings)),
  ]);
  return [...(await place(all))];
}

function parse({ dockerfile, folder }: CatalogueImage): Dockerfile {
  return parseDockerfile(dockerfile, `${folder}/Dockerfile`);
}
