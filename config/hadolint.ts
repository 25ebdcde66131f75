import type { GateSettings } from "../core/gate-settings.ts";
import type { HadolintReport } from "../core/hadolint.ts";
import type { CatalogueImage, Plan } from "../core/plan.ts";
import { lintDockerfiles } from "../toolchain/hadolint.ts";

/**
 * What hadolint says of the Dockerfiles of a plan's images; nothing where the stack has its gate off.
 * @param fetch gets hadolint where it is missing
 */
export async function hadolintReport(
  { plan, catalogue }: { readonly plan: Plan; readonly catalogue: readonly CatalogueImage[] },
  { severity = {} }: GateSettings,
  fetch: boolean,
): Promise<HadolintReport> {
  const rules = Object.entries(severity).filter(([rule]) => rule.startsWith("hadolint/"));
  if (severity.hadolint === "off" && rules.every(([, wanted]) => wanted === "off")) return { hits: new Map() };
  const names = new Set(plan.images.map((image) => image.name));
  const wanted = catalogue.filter((image) => names.has(image.definition.name));
  return lintDockerfiles(new Map(wanted.map((image) => [image.definition.name, image.dockerfile])), fetch);
}
