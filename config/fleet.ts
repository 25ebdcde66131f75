import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ArchNotation } from "../core/cuda.ts";
import type { Duration } from "../core/duration.ts";
import { type Finding, sortFindings } from "../core/finding.ts";
import { type Fleet, fleetWorkloads } from "../core/fleet.ts";
import { APP, type WorkloadsChoice } from "../core/host-plan.ts";
import { hint } from "../core/lineage.ts";
import { type MachinePlan, planMachine, plannedMachine } from "../core/machine-plan.ts";
import type { MachineInput, PlannedImage } from "../core/plan.ts";
import type { OwnService } from "./own-service.ts";
import type { StackConfig } from "./schema.ts";

/** A stack's machine with the fleet's services on it. */
export interface LoadedMachine {
  /** Absent where the machine itself is impossible. */
  readonly plan?: MachinePlan;
  readonly input?: MachineInput;
  /** The images that its services run. */
  readonly images: readonly string[];
  /** Services with sources of their own. */
  readonly own: readonly OwnService[];
  readonly findings: readonly Finding[];
}

/** Works out a stack's machine from its config and from images/fleet.ts. Loaded only for stacks that have one. */
export async function loadMachine(
  root: string,
  stack: string,
  config: StackConfig & { readonly machine: NonNullable<StackConfig["machine"]> },
): Promise<LoadedMachine> {
  const { FLEET: fleet } = (await import(pathToFileURL(join(root, "images", "fleet.ts")).href)) as { FLEET: Fleet };
  const { machine, cudaArchs, cudaTrack, services, families, sources } = config;
  const { plan, findings } = planMachine({
    stack,
    machine,
    cudaArchs: cudaArchs as ArchNotation | undefined,
    cudaTrack: cudaTrack === "auto" ? undefined : cudaTrack,
    services,
    families,
    fleet,
    sourced: Object.keys(sources),
  });
  const where = { file: `Pulumi.${stack}.yaml` };
  const placed = findings.map((f) => (f.where === undefined && !f.rule.startsWith("fleet/") ? { ...f, where } : f));
  if (plan === undefined) return { images: [], own: [], findings: placed };
  const { gpu } = plan.profile;
  const cuda = gpu &&
    plan.cuda && { targets: [{ machine: stack, capability: gpu.capability }], archs: plan.cuda.archs };
  return {
    plan,
    input: { planned: plannedMachine(plan), buildArgs: plan.buildArgs, cuda },
    images: [...new Set(plan.services.map((s) => s.image))],
    own: plan.services.flatMap(({ name, base, health }) =>
      base === undefined ? [] : [{ name, base, ...("path" in health ? { health: health.path } : {}) }],
    ),
    findings: placed,
  };
}

/**
 * Services whose image the catalogue lacks: a CUDA track or a family that is not built.
 * @param known names of the catalogue's images
 */
export function missingImages({ plan, images, own }: LoadedMachine, known: readonly string[]): Finding[] {
  // A machine without a GPU has no track, which is told of the services that need one.
  const isTold = (image: string) =>
    plan?.cuda === undefined && plan?.services.some((service) => service.image === image && service.gpu);
  const needed = images
    .filter((image) => !isTold(image))
    .map((image) => own.find(({ name }) => name === image)?.base ?? image);
  const findings = [...new Set(needed)]
    .filter((image) => !known.includes(image))
    .map((image): Finding => {
      const services = plan?.services.filter((s) => (s.base ?? s.image) === image).map((s) => s.service) ?? [];
      const stem = image.replace(/-cu\d+$/, "");
      const tracks = known.flatMap((name) => (name.startsWith(`${stem}-cu`) ? name.slice(stem.length + 1) : []));
      return {
        rule: "fleet/no-image",
        severity: "error",
        subject: image,
        message: `no image of the catalogue, but ${services.length === 1 ? "1 service runs" : `${services.length} services run`} it: ${some(services)}`,
        fix:
          tracks.length > 0
            ? `set keelson:cudaTrack to one that there is: ${tracks.join(", ")}`
            : "exchange its family in keelson:families, or name other services in keelson:services",
      };
    });
  return sortFindings(findings);
}

/**
 * Services whose image is not built for their machine's platform: its definition lacks it, or `keelson:platforms` does.
 * @param built the plan's images
 */
export function foreignImages(
  { plan }: LoadedMachine,
  built: readonly Pick<PlannedImage, "name" | "builds">[],
): Finding[] {
  if (plan === undefined) return [];
  const { platform, machine, profile } = plan.profile;
  return built
    .filter(({ builds }) => builds.every((build) => build.platform !== platform))
    .flatMap(({ name, builds }): Finding[] => {
      const services = plan.services.filter(({ image }) => image === name).map(({ service }) => service);
      if (services.length === 0) return [];
      const platforms = builds.map((build) => build.platform).join(", ") || "none of the stack's platforms";
      return [
        {
          rule: "fleet/platform",
          severity: "error",
          subject: name,
          message: `is built for ${platforms}, but ${machine} (${profile}) is ${platform}: ${some(services)} can't run there`,
          fix: `add ${platform} to keelson:platforms where the image has it, or leave the services out of keelson:services`,
        },
      ];
    });
}

/** @example some(["a", "b", "c", "d", "e"]) // "a, b, c, d, …" */
function some(names: readonly string[]): string {
  return `${names.slice(0, 4).join(", ")}${names.length > 4 ? ", …" : ""}`;
}

/**
 * The stack's workloads on hosts with the fleet's services among them, where `keelson:machine.host` names the host that runs them.
 * @param own the stack's, from `keelson:workloads`
 * @param within what an image gives its containers until they are healthy
 */
export function withFleet(
  { plan }: LoadedMachine,
  { machine, hosts }: Pick<StackConfig, "machine" | "hosts">,
  own: WorkloadsChoice,
  within: (image: string) => Duration | undefined,
): { readonly workloads: WorkloadsChoice; readonly findings: readonly Finding[] } {
  const { host, channel } = machine ?? {};
  if (plan === undefined) return { workloads: own, findings: [] };
  if (host === undefined) return { workloads: own, findings: channel === undefined ? [] : [withoutHost(channel)] };
  const found = Object.hasOwn(hosts, host) ? hosts[host] : undefined;
  if (found === undefined) {
    const known = Object.keys(hosts).toSorted();
    const finding: Finding = {
      rule: "config/unknown-name",
      severity: "error",
      subject: "keelson:machine.host",
      message: `expected a host of keelson:hosts, found ${JSON.stringify(host)}`,
      fix:
        known.length === 0
          ? `add it: pulumi config set --path 'keelson:hosts.${host}.address' ADDRESS`
          : `write one of: ${known.join(", ")}${hint(host, known)}`,
    };
    return { workloads: own, findings: [finding] };
  }
  const app = (found !== "lab" && found.app) || APP;
  const fleet = fleetWorkloads({ services: plan.services, environment: plan.environment, host, app, within, channel });
  const twice = Object.keys(own).filter((name) => Object.hasOwn(fleet, name));
  return {
    workloads: { ...fleet, ...own },
    findings: twice.map((name) => ({
      rule: "fleet/workload",
      severity: "error",
      subject: `keelson:workloads.${name}`,
      message: `${name} is a service of the machine's fleet already`,
      fix: "give the workload another name, or leave the service out of keelson:services",
    })),
  };
}

function withoutHost(channel: string): Finding {
  return {
    rule: "config/no-host",
    severity: "warning",
    subject: "keelson:machine.channel",
    message: `${JSON.stringify(channel)} is followed by nothing: the machine names no host that runs its services`,
    fix: "name one of keelson:hosts in keelson:machine.host, or remove the key",
  };
}
