import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { baseChoices } from "../core/base-choices.ts";
import { bootstrappedAway } from "../core/bootstrapped-bases.ts";
import { UserError } from "../core/error.ts";
import { type Finding, formatFinding, sortFindings } from "../core/finding.ts";
import { hint } from "../core/lineage.ts";
import type { MachinePlan } from "../core/machine-plan.ts";
import { builderNodes, unreachableRegistry } from "../core/nodes.ts";
import { type CatalogueImage, makePlan, type Plan } from "../core/plan.ts";
import type { Platform } from "../core/platform.ts";
import type { Revision } from "../core/tags.ts";
import { nativePlatform } from "../toolchain/platform.ts";
import { basesAway } from "../toolchain/upstream.ts";
import { readBasesLock, readCatalogue } from "./catalogue.ts";
import { readErrorPages } from "./error-pages.ts";
import { githubCacheFindings } from "./github-cache.ts";
import { pythonLocks } from "./python-locks.ts";
import { gitRevision } from "./revision.ts";
import type { StackConfig } from "./schema.ts";
import { byTarget } from "./workloads.ts";

/** What of a plan does not follow from the project's files. */
export interface Surroundings {
  /** The platform of the machine that builds. */
  readonly host: Platform;
  readonly revision: Revision | undefined;
}

/** What this machine and checkout say. */
export async function surroundings(root: string): Promise<Surroundings> {
  return { host: nativePlatform() ?? "linux/amd64", revision: await gitRevision(root) };
}

/** A stack's plan with what it was made from. */
export interface LoadedPlan {
  readonly plan: Plan;
  readonly findings: readonly Finding[];
  readonly catalogue: readonly CatalogueImage[];
  /** The stack's machine, for the gates on it. */
  readonly machine?: MachinePlan;
  /** Gives what is found later of the stack's config its lines, too. */
  readonly place: (findings: readonly Finding[]) => Promise<readonly Finding[]>;
}

/**
 * Reads the catalogue and works out a stack's plan.
 * @param sourcesBase what paths of `keelson:sources` that lead out of the project are relative to
 * @example const { plan, findings } = await loadPlan(root, "dev", readStackFile(root, "dev"), surroundings(root));
 */
export async function loadPlan(
  root: string,
  stack: string,
  config: StackConfig,
  around: Surroundings | Promise<Surroundings>,
  sourcesBase = root,
): Promise<LoadedPlan> {
  const fleet = config.machine === undefined ? undefined : await import("./fleet.ts");
  const machine = config.machine && (await fleet?.loadMachine(root, stack, { ...config, machine: config.machine }));
  const services = machine?.images ?? [];
  const volumes =
    Object.keys(config.volumes).length === 0
      ? undefined
      : (await import("./volumes.ts")).readVolumes(config.volumes, `Pulumi.${stack}.yaml`);
  const { services: onServers, apps } = byTarget(config.workloads);
  const { services: hosted, findings: pageFindings } = readErrorPages(root, onServers);
  const hasHosts = Object.keys(config.hosts).length + Object.keys(hosted).length > 0;
  const hostPlan = hasHosts ? await import("../core/host-plan.ts") : undefined;
  const hasClusters = Object.keys(config.kubernetes).length + Object.keys(apps).length > 0;
  const clusterPlan = hasClusters ? await import("../core/cluster-plan.ts") : undefined;
  const hasSandboxes = Object.keys(config.cloudflare).length > 0;
  const [sandboxPlan, sandboxCheck] = hasSandboxes
    ? await Promise.all([
        import("../core/cloudflare/sandbox-plan.ts"),
        import("../core/cloudflare/sandbox-findings.ts"),
      ])
    : [];
  const run = [
    ...(hostPlan?.workloadImages(hosted) ?? []),
    ...(clusterPlan?.clusterImages(config.kubernetes, apps) ?? []),
    ...Object.values(config.cloudflare).map(({ image }) => image),
  ];
  const [{ catalogue, others, unread, unreadBases, findings }, { host, revision }] = await Promise.all([
    readCatalogue(
      root,
      [...config.images, ...services, ...run],
      { "gateway.identity": config.gateway?.identity },
      {
        wishes: config.sources,
        base: sourcesBase,
        own: machine?.own ?? [],
        services: machine?.plan?.services.filter(({ image }) => image !== "redis").map(({ name }) => name) ?? [],
      },
    ),
    around,
  ]);
  const uses = { ...hosted, ...apps };
  const volumeFindings = Object.values(uses).some((use) => "volume" in use || "volumes" in use)
    ? (await import("../core/volume/uses.ts")).volumeUseFindings(uses, volumes?.volumes ?? [])
    : [];
  const wheels = config.wheelhouse?.volume;
  if (wheels !== undefined)
    volumeFindings.push(...(await import("../core/volume/uses.ts")).wheelhouseFindings(wheels, volumes?.volumes ?? []));
  const definitions = [...catalogue, ...others].map((image) => image.definition.name);
  const known = [...definitions, ...unread];
  const registry = config.registry === "embedded" ? { host: "embedded", prefix: "" } : config.registry;
  const bases = readBasesLock(root);
  const health = new Map([...catalogue, ...others].map(({ definition }) => [definition.name, definition.health]));
  const fleetHosted = machine && fleet?.withFleet(machine, config, hosted, (image) => health.get(image)?.within);
  const onHosts = hostPlan?.planHosts(config.hosts, fleetHosted?.workloads ?? hosted, health);
  const facts = new Map([...catalogue, ...others].map(({ definition }) => [definition.name, definition]));
  const hasLogin = config.registry !== "embedded" && config.registry.password !== undefined;
  const onClusters = clusterPlan?.planClusters(config.kubernetes, apps, facts, stack, registry.host, hasLogin);
  const charts = onClusters && (await (await import("./charts.ts")).readCharts(root, onClusters.clusters));
  const made = makePlan({
    stack,
    registry: registry.host,
    prefix: registry.prefix ?? "",
    images: [...new Set([...config.images, ...services.filter((name) => known.includes(name)), ...run])],
    askedBy: askedBy(config),
    platforms: config.platforms,
    catalogue,
    others,
    unread,
    unreadBases,
    bases,
    baseOrigin:
      config.bases === "auto" ? { bootstrapped: await basesAway(baseChoices(bases.bases, catalogue)) } : config.bases,
    nodes: builderNodes(config.builder, host),
    revision,
    source: repository(root),
    machine: machine?.input,
    volumes: volumes?.volumes,
    hosts: onHosts?.hosts,
    clusters: charts?.clusters,
    sandboxes: sandboxPlan?.planSandboxes(config.cloudflare),
    gateway: config.gateway?.run,
  });
  const locks = pythonLocks(
    root,
    catalogue,
    made.plan.images.map((image) => image.name),
  );
  const away = [...unreachableRegistry(config.builder, config.registry), ...githubCacheFindings(config, process.env)];
  const unasked =
    config.bases === "bootstrapped"
      ? []
      : bootstrappedAway(registry.host, registry.prefix ?? "", made.plan.bases, bases.bases);
  const prisma = catalogue.some(hasPrisma)
    ? (await import("./prisma.ts")).prismaFindings(root, sourcesBase, host, made.plan, catalogue)
    : [];
  const found =
    machine === undefined || fleet === undefined
      ? []
      : [
          ...machine.findings,
          ...fleet.missingImages(machine, known),
          ...fleet.foreignImages(machine, made.plan.images),
        ];
  const all = [
    ...[...findings, ...made.findings, ...locks, ...found, ...(volumes?.findings ?? []), ...(onHosts?.findings ?? [])],
    ...(fleetHosted?.findings ?? []),
    ...[...(onClusters?.findings ?? []), ...(charts?.findings ?? [])],
    ...volumeFindings,
    ...pageFindings,
    ...[...away, ...unasked, ...prisma],
    ...[
      ...withoutMachine(config, stack),
      ...runFindings(made.plan),
      ...(sandboxCheck?.sandboxFindings(made.plan) ?? []),
    ],
  ];
  const plan =
    machine?.plan?.cuda === undefined
      ? made.plan
      : (await import("./machine-costs.ts")).withCosts(root, made.plan, machine.plan);
  return {
    plan,
    findings: sortFindings(await placed(all, root, stack)),
    catalogue,
    ...(machine?.plan === undefined ? {} : { machine: machine.plan }),
    place: (found) => placed(found, root, stack),
  };
}

/** Whether its build sees a Prisma schema. */
function hasPrisma({ context, contexts }: CatalogueImage): boolean {
  const trees = [context, ...Object.values(contexts).flatMap((c) => ("entries" in c ? [c.entries] : []))];
  return trees.some((entries) => entries.some(({ path }) => path.endsWith(".prisma")));
}

/**
 * {@link loadPlan} for what would go wrong with a plan that lacks an image: a report, a promotion, a clean-up.
 * @throws UserError with all that keeps images out of the plan.
 */
export async function loadWholePlan(...of: Parameters<typeof loadPlan>): Promise<LoadedPlan> {
  const loaded = await loadPlan(...of);
  const missing = loaded.findings.filter(
    (f) => f.severity === "error" && /^(?:definition|lineage|config|source)\//.test(f.rule),
  );
  if (missing.length === 0) return loaded;
  throw new UserError(
    `the plan of stack ${of[1]} is not whole:\n${missing.map(formatFinding).join("\n")}`,
    "correct these; `keelson plan` tells all that is wrong",
  );
}

/** Images that `keelson:images` does not name, each with a key that wants it; of clusters an image may be anybody's. */
function askedBy({ images, workloads, kubernetes, cloudflare }: StackConfig) {
  const charts = Object.entries(kubernetes).flatMap(([cluster, { charts: own = {} }]) =>
    Object.entries(own).flatMap(([chart, { images: wanted = {} }]) =>
      Object.entries(wanted).map(([path, image]) => [image, `kubernetes.${cluster}.charts.${chart}.images.${path}`]),
    ),
  );
  const run = Object.entries(workloads).map(([name, use]) => [
    use.image,
    `workloads.${name}.image`,
    "kubernetes" in use,
  ]);
  const sandboxes = Object.entries(cloudflare).map(([name, { image }]) => [image, `cloudflare.${name}.image`]);
  const all = [...sandboxes, ...charts, ...run] as [image: string, key: string, any?: boolean][];
  return new Map(
    all.flatMap(([image, key, any = false]) =>
      images.includes(image) ? [] : [[image, { key: `keelson:${key}`, any }] as const],
    ),
  );
}

/** Findings about the stack's config with their lines; its file is read only where there are some. */
async function placed(findings: readonly Finding[], root: string, stack: string): Promise<readonly Finding[]> {
  if (!findings.some(({ subject }) => subject.startsWith("keelson:"))) return findings;
  const file = `Pulumi.${stack}.yaml`;
  const [{ locate }, text] = await Promise.all([
    import("./config-lines.ts"),
    readFile(join(root, file), "utf8").catch(() => ""),
  ]);
  return locate(findings, text, file);
}

/** Keys that only say something of a machine's images and services. */
function withoutMachine(config: StackConfig, stack: string): Finding[] {
  if (config.machine !== undefined) return [];
  const { cudaArchs, services, families } = config;
  const isSet = {
    cudaArchs: cudaArchs !== undefined,
    cudaTrack: config.cudaTrack !== "auto",
    services: services !== undefined,
    families: Object.keys(families).length > 0,
  };
  return (["cudaArchs", "cudaTrack", "services", "families"] as const)
    .filter((key) => isSet[key])
    .map((key) => ({
      rule: "config/no-machine",
      severity: "warning",
      subject: `keelson:${key}`,
      message: "means nothing on a stack without keelson:machine",
      fix: "name the stack's machine, or remove the key",
      where: { file: `Pulumi.${stack}.yaml` },
    }));
}

/** Only an image with the tool loader, which the stack builds, has a health that `up` can print. */
function runFindings({ gateway, images }: Plan): Finding[] {
  const gateways = images.filter(({ family }) => family === "gateway").map(({ name }) => name);
  if (gateway === undefined || gateways.includes(gateway)) return [];
  return [
    {
      rule: "config/gateway-run",
      severity: "error",
      subject: "keelson:gateway.run",
      message: `expected a gateway image of the stack, found "${gateway}"${hint(gateway, gateways)}`,
      fix:
        gateways.length === 0
          ? "add gateway-core to keelson:images, or remove it"
          : `write one of: ${gateways.join(", ")}`,
    },
  ];
}

/** The project's home, as package.json names it. */
function repository(root: string): string | undefined {
  const { repository } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { repository?: string };
  return repository;
}
