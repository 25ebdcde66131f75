import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ArchNotation } from "../core/cuda.ts";
import { type Finding, sortFindings } from "../core/finding.ts";
import type { Fleet } from "../core/fleet.ts";
import { type MachinePlan, planMachine, plannedMachine } from "../core/machine-plan.ts";
import type { MachineInput } from "../core/plan.ts";
import type { StackConfig } from "./schema.ts";

/** A stack's machine with the fleet's services on it. */
export interface LoadedMachine {
  /** Absent where the machine itself is impossible. */
  readonly plan?: MachinePlan;
  readonly input?: MachineInput;
  /** The images that its services run. */
  readonly images: readonly string[];
  readonly findings: readonly Finding[];
}

/** Works out a stack's machine from its config and from images/fleet.ts. Loaded only for stacks that have one. */
export async function loadMachine(
  root: string,
  stack: string,
  config: StackConfig & { readonly machine: NonNullable<StackConfig["machine"]> },
): Promise<LoadedMachine> {
  const { FLEET: fleet } = (await import(pathToFileURL(join(root, "images", "fleet.ts")).href)) as { FLEET: Fleet };
  const { machine, cudaArchs, cudaTrack, services, families } = config;
  const { plan, findings } = planMachine({
    stack,
    machine,
    cudaArchs: cudaArchs as ArchNotation | undefined,
    cudaTrack: cudaTrack === "auto" ? undefined : cudaTrack,
    services,
    families,
    fleet,
  });
  const where = { file: `Pulumi.${stack}.yaml` };
  const placed = findings.map((f) => (f.where === undefined && !f.rule.startsWith("fleet/") ? { ...f, where } : f));
  if (plan === undefined) return { images: [], findings: placed };
  const { gpu } = plan.profile;
  const cuda = gpu &&
    plan.cuda && { targets: [{ machine: stack, capability: gpu.capability }], archs: plan.cuda.archs };
  return {
    plan,
    input: { planned: plannedMachine(plan), buildArgs: plan.buildArgs, cuda },
    images: [...new Set(plan.services.map((s) => s.image))],
    findings: placed,
  };
}

/**
 * Services whose image the catalogue lacks: a CUDA track or a family that is not built.
 * @param known names of the catalogue's images
 */
export function missingImages({ plan, images }: LoadedMachine, known: readonly string[]): Finding[] {
  const findings = images
    .filter((image) => !known.includes(image))
    .map((image): Finding => {
      const services = plan?.services.filter((s) => s.image === image).map((s) => s.service) ?? [];
      const stem = image.replace(/-cu\d+$/, "");
      const tracks = known.filter((name) => name.replace(/-cu\d+$/, "") === stem);
      return {
        rule: "fleet/no-image",
        severity: "error",
        subject: image,
        message: `no image of the catalogue, but ${services.length === 1 ? "1 service runs" : `${services.length} services run`} it: ${services.slice(0, 4).join(", ")}${services.length > 4 ? ", …" : ""}`,
        fix:
          tracks.length > 0
            ? `set keelson:cudaTrack to one that there is: ${tracks.join(", ")}`
            : "exchange its family in keelson:families, or name other services in keelson:services",
      };
    });
  return sortFindings(findings);
}
