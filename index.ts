import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { Host } from "./components/host/host.ts";
import { type BuildPlatforms, buildImages, type Image } from "./components/image/image.ts";
import type { RegistryInputs } from "./components/image/keelson.ts";
import type { R2Volume } from "./components/volume/r2-volume.ts";
import { hadolintReport } from "./config/hadolint.ts";
import { loadPlan, surroundings } from "./config/load.ts";
import type { StackConfig } from "./config/schema.ts";
import { enginePassphraseProblem, engineSecretKeys, engineStackConfig } from "./config/stack.ts";
import { asUserError, UserError } from "./core/error.ts";
import { describeFinding, formatFinding } from "./core/finding.ts";
import type { EarlierWaves } from "./core/fleet/earlier.ts";
import type { Snapshot } from "./core/impact.ts";
import type { Plan } from "./core/plan.ts";
import type { Wheelhouse } from "./core/wheelhouse.ts";
import { judgePlan } from "./gates/plan.ts";

const stack = pulumi.getStack();
const root = import.meta.dirname;
// Node strips types in place, so that its stack traces are right as they are: having them mapped, as the SDK does for every
// promise that it tracks, takes a tenth of a second.
Reflect.deleteProperty(Error, "prepareStackTrace");

/** Config → plan → gates → resources → outputs. */
async function program(): Promise<Record<string, unknown>> {
  const passphrase = enginePassphraseProblem(stack);
  if (passphrase !== undefined) throw passphrase;
  const config = await readConfig();
  const loaded = await loadPlan(root, stack, config, surroundings(root));
  const { plan } = loaded;
  const findings = await judgePlan(loaded, config.gates, await hadolintReport(loaded, config.gates, false));
  const errors = findings.filter((f) => f.severity === "error");
  if (errors.length > 0)
    throw new UserError(
      `the plan can't be carried out:\n${errors.map(formatFinding).join("\n")}`,
      "the preview stops here",
    );
  for (const warning of findings.filter((f) => f.severity === "warning")) pulumi.log.warn(describeFinding(warning));
  if (pulumi.runtime.isDryRun()) await tellImpact(loaded);

  if (plan.machine?.after !== undefined) await waitFor(plan.machine.after);

  if (config.registry === "embedded") announce(plan);
  // The SDK keeps the stack of each of its promises as text, which it makes at once: short ones.
  Error.stackTraceLimit = 2;
  const volumes = plan.volumes === undefined ? new Map() : await volumesOf(plan.volumes);
  const images = buildImages(plan, {
    registry: registry(config.registry),
    builder: config.builder,
    cache: config.cache,
    gates: config.gates,
    buildPlatforms: await platformBuilder(config.imageResource),
    wheelhouse: wheelhouse(config.wheelhouse, volumes),
  });
  const built = plan.hosts === undefined ? undefined : await hostsOf(plan.hosts, config, images, volumes);
  const hosts = Object.fromEntries(
    [...(built ?? [])].map(([name, { urls, report, services }]) => [
      name,
      {
        urls,
        report,
        services: Object.fromEntries([...services].map(([each, { image, unit }]) => [each, { image, unit }])),
      },
    ]),
  );
  const runs = new Map(
    (plan.hosts ?? []).flatMap(({ name, services }) =>
      services
        .filter(({ port }) => port !== undefined)
        .map((one) => [one.name, built?.get(name)?.urls.apply((urls) => urls[one.name])]),
    ),
  );
  const clusters = plan.clusters === undefined ? {} : await clustersOf(plan, config, images, volumes);
  const cloudflare = plan.sandboxes === undefined ? {} : await cloudflareOf(plan, config, images, volumes);
  if (!pulumi.runtime.isDryRun())
    pulumi
      .all([
        pulumi.all(Object.fromEntries([...images].map(([name, { standing }]) => [name, standing]))),
        pulumi.all(Object.fromEntries([...(built ?? [])].map(([name, { asPlanned }]) => [name, asPlanned]))),
        [hosts, clusters, cloudflare],
      ])
      .apply(([standing, asPlanned]) => keep(loaded, standing, asPlanned));
  return {
    images: Object.fromEntries(
      plan.images.map((image) => {
        const { ref, digest, platforms } = images.get(image.name) ?? {};
        return [image.name, { ref, digest, platforms, tags: image.tags, budget: image.budget }];
      }),
    ),
    services: Object.fromEntries(
      (plan.machine?.services ?? []).map(({ name, image, wave, port, health, optional }) => {
        // Known once its host runs it, so that whoever reads it may ask there.
        const url = runs.get(name);
        const told = "path" in health && url !== undefined ? { health: pulumi.interpolate`${url}${health.path}` } : {};
        return [name, { image: images.get(image)?.ref, wave, port, ...told, ...(optional && { optional }) }];
      }),
    ),
    volumes: Object.fromEntries(
      [...volumes].map(([name, { endpoint, bucket, environment }]) => [name, { endpoint, bucket, environment }]),
    ),
    hosts,
    clusters,
    cloudflare,
  };
}

/** A machine whose waves come later starts nothing before the earlier ones of another stack are healthy; a preview says so. */
async function waitFor(earlier: EarlierWaves): Promise<void> {
  const name = `${pulumi.getOrganization()}/${pulumi.getProject()}/${earlier.stack}`;
  const [found, { whyNotYet }] = await Promise.all([
    pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name }).catch((error: unknown) => {
      if (/unknown stack/i.test(String(error))) return undefined;
      throw new UserError(`stack ${earlier.stack} can't be read: ${String(error)}`, "correct keelson:machine.after");
    }),
    import("./config/earlier-waves.ts"),
  ]);
  const problem = await whyNotYet(earlier, (found as { outputs?: unknown } | undefined)?.outputs);
  if (problem === undefined) return;
  if (!pulumi.runtime.isDryRun()) throw problem;
  pulumi.log.warn(`${problem.message}\nAn up would stop here: ${problem.fix}`);
}

/** The plugin asks the registry for all of a plan's images while they are registered, one after the other. */
function announce({ images }: Plan): void {
  // What waits for no other image is registered first.
  const first = Map.groupBy(images, ({ base }) => base.kind === "external");
  const wanted = [...(first.get(true) ?? []), ...(first.get(false) ?? [])].map(({ repository, contentHash }) => ({
    repository,
    contentHash,
  }));
  // What the plugin can't do, or another version of it doesn't know, it does when it is asked for each image.
  pulumi.runtime.invoke("keelson:index:ready", { images: wanted }).catch(() => undefined);
}

/** The stack's config; all that is wrong with it is told at once. */
async function readConfig(): Promise<StackConfig> {
  try {
    return engineStackConfig(pulumi.runtime.allConfig(), engineSecretKeys(), stack, await stackFile());
  } catch (error) {
    const { withUnknownNames } = await import("./config/read-stack.ts");
    throw await withUnknownNames(root, stack, error);
  }
}

/** A stack that is given its config in another way has no file here. */
async function stackFile(): Promise<string> {
  return await readFile(join(root, `Pulumi.${stack}.yaml`), "utf8").catch(() => "");
}

/** The stack's volumes, by name; loaded for stacks that have some. */
async function volumesOf(planned: NonNullable<Plan["volumes"]>): Promise<ReadonlyMap<string, R2Volume>> {
  const { buildVolumes } = await import("./components/volume/r2-volume.ts");
  const secret = (name: string) =>
    new pulumi.Config("keelson")
      .requireSecretObject<Record<string, { secret: string }>>("volumes")
      .apply((volumes) => volumes[name]?.secret ?? "");
  return buildVolumes(planned, secret);
}

/** The stack's hosts; loaded for stacks that have some. */
async function hostsOf(
  planned: NonNullable<Plan["hosts"]>,
  config: StackConfig,
  images: ReadonlyMap<string, Image>,
  volumes: ReadonlyMap<string, R2Volume>,
): Promise<ReadonlyMap<string, Host>> {
  const [{ buildHosts }, { hostAccess, hostProgram }] = await Promise.all([
    import("./components/host/hosts.ts"),
    import("./config/host-login.ts"),
  ]);
  const secrets = new pulumi.Config("keelson");
  const { host, username, password } = registry(config.registry);
  const login = username === undefined || password === undefined ? undefined : { registry: host, username, password };
  return buildHosts(
    planned,
    {
      access: await hostAccess(config.hosts),
      program: hostProgram(root),
      images,
      volumes,
      credentials: secrets.requireSecretObject("hosts"),
      workloads: secrets.requireSecretObject("workloads"),
      login,
    },
    // No host moves before every image has passed its gates, those of other workloads included.
    { dependsOn: [...images.values()] },
  );
}

/** Where each cluster's applications are reached from inside of it; loaded for stacks that have clusters. */
async function clustersOf(
  plan: Plan,
  config: StackConfig,
  images: ReadonlyMap<string, Image>,
  volumes: ReadonlyMap<string, R2Volume>,
): Promise<Record<string, unknown>> {
  const [{ buildClusters }, { clusterAccess }] = await Promise.all([
    import("./components/kubernetes/clusters.ts"),
    import("./config/cluster-login.ts"),
  ]);
  const planned = (plan.clusters ?? []).filter(
    ({ apps, databases, charts }) => [...apps, ...databases, ...charts].length > 0,
  );
  const secrets = new pulumi.Config("keelson");
  const { host, username, password } = registry(config.registry);
  const clusters = buildClusters(
    planned,
    {
      access: clusterAccess(planned, root),
      images,
      volumes,
      users: new Map(plan.images.map(({ name, user }) => [name, user])),
      workloads: secrets.requireSecretObject("workloads"),
      clusters: secrets.requireSecretObject("kubernetes"),
      pull: username === undefined || password === undefined ? undefined : { host, username, password },
    },
    // Nothing moves before every image has passed its gates, those of other workloads included.
    { dependsOn: [...images.values()] },
  );
  return Object.fromEntries([...clusters].map(([name, { urls }]) => [name, { urls }]));
}

/** What each container at Cloudflare runs, and the Worker in front of it; loaded for stacks that have some. */
async function cloudflareOf(
  plan: Plan,
  config: StackConfig,
  images: ReadonlyMap<string, Image>,
  volumes: ReadonlyMap<string, R2Volume>,
): Promise<Record<string, unknown>> {
  const { buildSandboxes } = await import("./components/cloudflare/sandboxes.ts");
  const worker = await readFile(join(root, "components/cloudflare/worker.mjs"), "utf8");
  const own = (plan.sandboxes ?? []).flatMap((sandbox) => sandbox.worker ?? []);
  const workers = new Map(await Promise.all(own.map(async (path) => [path, await workerText(path)] as const)));
  const apiToken = new pulumi.Config("cloudflare").getSecret("apiToken");
  const built = buildSandboxes(
    plan,
    { images, volumes, registry: registry(config.registry), worker, workers, apiToken },
    // Nothing moves before every image has passed its gates.
    { dependsOn: [...images.values()] },
  );
  return Object.fromEntries(
    [...built].map(([name, { image, applicationId, scriptName }]) => [name, { image, applicationId, scriptName }]),
  );
}

/** A Worker's module of the project. @throws UserError where it can't be read */
async function workerText(path: string): Promise<string> {
  return readFile(join(root, path), "utf8").catch((cause) => {
    const message = `expected a Worker's module at ${path}, found none: ${cause.message}`;
    throw new UserError(message, "correct keelson:cloudflare", { cause });
  });
}

/** What builds an image's platforms, where keelson's own resource doesn't; its SDK is loaded where it is used. */
async function platformBuilder(resource: StackConfig["imageResource"]): Promise<BuildPlatforms | undefined> {
  return resource === "keelson" ? undefined : (await import("./components/image/docker-build.ts")).buildPlatforms;
}

/** A preview says which images rebuild, and why, against this checkout's last up or the default branch. */
async function tellImpact(after: Snapshot): Promise<void> {
  const { earlierSnapshot } = await import("./config/earlier.ts");
  const earlier = await earlierSnapshot(root, stack, surroundings(root)).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    pulumi.log.info(`this preview does not say what rebuilds and why: ${error.message}; ${error.fix}`);
    return undefined;
  });
  if (earlier === undefined || wanted(earlier.before) === wanted(after)) return;
  const { pastBuilds } = await import("./config/past-builds.ts");
  const { impact } = await import("./core/impact.ts");
  const { formatImpact } = await import("./core/impact-render.ts");
  const found = impact(earlier.before, after, pastBuilds(root, after.plan));
  pulumi.log.info(`compared with ${earlier.since}:\n${formatImpact(found)}`);
}

/**
 * What this up has brought about, once every image is there and every host and cluster runs what it should, whoever started
 * it: the next preview compares with it. What `--target` left alone counts as it was.
 */
async function keep(
  wanted: Snapshot,
  standing: Readonly<Record<string, string | undefined>>,
  asPlanned: Readonly<Record<string, boolean>>,
): Promise<void> {
  const [{ keepSnapshot, lastSnapshot }, { broughtUp }] = await Promise.all([
    import("./config/snapshot.ts"),
    import("./core/brought-up.ts"),
  ]);
  const hosts = new Set(Object.keys(asPlanned).filter((name) => asPlanned[name]));
  const brought = broughtUp(await lastSnapshot(root, stack), wanted, {
    images: new Map(Object.entries(standing)),
    hosts,
  });
  // A checkout that can't be written in is no reason to fail: its next preview compares with the default branch.
  await keepSnapshot(root, stack, brought).catch((error: Error) => pulumi.log.debug(`no snapshot: ${error.message}`));
}

/** What a plan builds and runs, in words that are equal where that is the same. */
function wanted({ plan }: Snapshot): string {
  const images = plan.images.map((i) => [i.name, i.contentHash, ...i.builds.map(({ platform }) => platform)].join(" "));
  return JSON.stringify([images, plan.hosts, plan.clusters, plan.sandboxes]);
}

/** Where wheels come from, opened: keys and passwords stay secret Outputs from config to use. */
function wheelhouse(
  config: StackConfig["wheelhouse"],
  volumes: ReadonlyMap<string, R2Volume>,
): pulumi.Input<Wheelhouse> | undefined {
  if (config === undefined) return undefined;
  const { index, username, password, volume } = config;
  if (index === undefined) return volumes.get(volume ?? "")?.access;
  if (username === undefined || password === undefined) return { index };
  return new pulumi.Config("keelson")
    .requireSecretObject<{ password: string }>("wheelhouse")
    .apply((secrets) => ({ index, username, password: secrets.password }));
}

/** The registry's credentials stay secret Outputs from config to use. */
function registry(config: StackConfig["registry"]): RegistryInputs & { readonly host: string } {
  if (config === "embedded") return { host: "embedded" };
  return {
    host: config.host,
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.password === undefined ? {} : { password: secretPassword() }),
  };
}

function secretPassword(): pulumi.Output<string> {
  return new pulumi.Config("keelson")
    .requireSecretObject<{ password: string }>("registry")
    .apply((registry) => registry.password);
}

let outputs: Record<string, unknown>;
try {
  outputs = await program();
} catch (failure) {
  const error = asUserError(failure);
  if (!(error instanceof UserError)) throw error;
  throw new pulumi.RunError(`${error.message}\n${error.fix}`);
}
export const { images, services, volumes, hosts, clusters, cloudflare } = outputs;
