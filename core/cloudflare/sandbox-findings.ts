import { UserError } from "../error.ts";
import type { Finding } from "../finding.ts";
import { hint } from "../lineage.ts";
import type { Plan } from "../plan.ts";
import { requireSandboxBase } from "./sandbox-base.ts";
import type { PlannedSandbox } from "./sandbox-plan.ts";

/** What Cloudflare's containers run. */
const PLATFORM = "linux/amd64";

/** What Cloudflare would not run, or run without its volume: told before anything is made. */
export function sandboxFindings({
  sandboxes = [],
  ...plan
}: Pick<Plan, "images" | "bases" | "volumes" | "sandboxes">): Finding[] {
  return sandboxes.flatMap((sandbox) => [
    ...imageFindings(sandbox, plan),
    ...volumeFindings(sandbox, plan.volumes ?? []),
  ]);
}

/** An image that there is none of is told as one. */
function imageFindings({ name, image }: PlannedSandbox, plan: Pick<Plan, "images" | "bases">): Finding[] {
  const planned = plan.images.find((one) => one.name === image);
  if (planned === undefined) return [];
  const found = (rule: string, message: string, fix: string): Finding => ({
    ...{ rule, severity: "error", subject: `keelson:cloudflare.${name}.image`, message, fix },
  });
  const findings: Finding[] = [];
  try {
    requireSandboxBase(plan, image);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    findings.push(found("cloudflare/base", error.message, error.fix));
  }
  const platforms = planned.builds.map(({ platform }) => platform);
  if (!platforms.includes(PLATFORM))
    findings.push(
      found(
        "cloudflare/platform",
        `expected an image for ${PLATFORM}, which is all that Cloudflare's containers run, found ${image} for ${platforms.join(", ") || "no platform"}`,
        `add ${PLATFORM} to keelson:platforms`,
      ),
    );
  return findings;
}

/** The Worker is bound to the bucket, and the container reaches it over the internet. */
function volumeFindings({ name, account, volume }: PlannedSandbox, volumes: NonNullable<Plan["volumes"]>): Finding[] {
  if (volume === undefined) return [];
  const known = volumes.map((one) => one.name);
  const planned = volumes.find((one) => one.name === volume);
  const found = (message: string, fix: string): Finding[] => [
    { rule: "cloudflare/volume", severity: "error", subject: `keelson:cloudflare.${name}.volume`, message, fix },
  ];
  if (planned === undefined)
    return found(
      `"${volume}" is no volume of keelson:volumes`,
      `write one of: ${known.join(", ") || "(there is none)"}${hint(volume, known)}`,
    );
  if (planned.backend !== "r2")
    return found(
      `expected a volume at R2, which a Worker can be bound to, found ${volume} with backend ${planned.backend}`,
      "give the sandbox a volume with backend r2",
    );
  return planned.account === account
    ? []
    : found(
        `expected a volume of the sandbox's own account, found ${volume} in another one`,
        "write the same account in both",
      );
}
