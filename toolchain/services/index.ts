import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { UserError } from "../../core/error.ts";
import { PLATFORMS } from "../../core/platform.ts";
import { home } from "../home.ts";
import { nativePlatform } from "../platform.ts";
import { type Progress, plainProgress, silent } from "../progress.ts";
import { ensureTool } from "../tools.ts";
import { registerEmulator } from "./binfmt.ts";
import {
  type BuildkitTools,
  buildkitAddress,
  buildkitDirectory,
  buildkitInstances,
  buildkitPlatforms,
  buildkitRemains,
  buildkitService,
  DEFAULT_INSTANCE,
  type InstanceOptions,
  type RegistryEndpoint,
} from "./buildkitd.ts";
import { hostTrust, readHostSettings, writeHostTrust } from "./host-trust.ts";
import { locked } from "./locked.ts";
import { mountsBelow } from "./mounts.ts";
import { onFreePort } from "./port.ts";
import type { RunningR2 } from "./r2.ts";
import { readRegistryConfig, registryDirectory, registryRemains, registryService } from "./registry.ts";
import { findRootlesskit, removeRootless } from "./rootless.ts";
import { type BuildkitInstance, readServicesState, type ServicesState, writeServicesState } from "./state.ts";
import { ensureRunning, logFile, logTail, runningProcesses, stopService, wasStarted } from "./supervise.ts";
import { ensureTls } from "./tls.ts";

export type { RunningR2 } from "./r2.ts";
export type { BuildkitInstance, ServicesState } from "./state.ts";

/** The embedded services, running, and what a person should know about how they were started. */
export interface Services extends ServicesState {
  readonly notices: readonly string[];
}

/** The embedded registry, running. */
export interface RunningRegistry extends RegistryEndpoint {
  /** Folder for SSL_CERT_DIR, beside the system's. */
  readonly trust: string;
  readonly notices: readonly string[];
}

/**
 * Sees to it that the embedded builder and registry run and answer: starts what doesn't, starts anew what died or has
 * another configuration, and leaves the rest alone. Two at once are fine.
 * @example
 * const { buildkit, registry } = await ensureServices();
 * buildkit.address; // "unix:///home/me/.cache/keelson/services/buildkit/default/buildkitd.sock"
 * registry.host; // "localhost:5443"
 * @throws UserError where the machine can't run them, or one doesn't start.
 */
export async function ensureServices(progress: Progress = plainProgress()): Promise<Services> {
  return locked("starting the builder and the registry", progress, async (services) => {
    const before = await readServicesState(services);
    const tools = await ensureBuildkitTools(progress);
    const { notices, ...registry } = await startRegistry(services, before, progress);
    const { withheld, trust } = await prepareHostTrust(services);
    const unavailable = await registerEmulators(progress);
    const started = await startInstance(services, DEFAULT_INSTANCE, tools, registry, trust, {}, before?.buildkit);
    if (started.outcome !== "running") progress.say(`builder: builds ${started.instance.platforms.join(", ")}`);

    const state: ServicesState = { buildkit: started.instance, registry, nodes: before?.nodes ?? {} };
    if (JSON.stringify(state) !== JSON.stringify(before)) await writeServicesState(services, state);
    const kept = `build steps don't get ${withheld.join(", ")}: credentials reach a build by secret mounts alone`;
    return { ...state, notices: [...notices, ...unavailable, ...(withheld.length === 0 ? [] : [kept])] };
  });
}

/** {@link ensureServices} without the builder: for builds by a Docker daemon. */
export async function ensureRegistry(progress: Progress = plainProgress()): Promise<RunningRegistry> {
  return locked("starting the registry", progress, async (services) =>
    startRegistry(services, await readServicesState(services), progress),
  );
}

/**
 * Starts a further BuildKit daemon beside the default one, with a cache of its own: a second node for builds that are
 * kept apart, or limited to a platform.
 * @example await ensureNode("arm", { platforms: ["linux/arm64"] })
 */
export async function ensureNode(name: string, options: InstanceOptions = {}): Promise<BuildkitInstance> {
  const { registry } = await ensureServices();
  return locked(`starting the builder ${name}`, silent, async (services) => {
    const before = await readServicesState(services);
    const tools = await ensureBuildkitTools(silent);
    const { trust } = await prepareHostTrust(services);
    const { instance } = await startInstance(services, name, tools, registry, trust, options, before?.nodes[name]);
    if (before !== undefined && name !== DEFAULT_INSTANCE)
      await writeServicesState(services, { ...before, nodes: { ...before.nodes, [name]: instance } });
    return instance;
  });
}

/** Stops a daemon that {@link ensureNode} started, and deletes its cache; one that is not there is fine. */
export async function removeNode(name: string): Promise<void> {
  if (name === DEFAULT_INSTANCE) throw new Error("the default builder is no node");
  await locked(`removing the builder ${name}`, silent, async (services) => {
    const directory = join(buildkitDirectory(services), name);
    await stopService(buildkitRemains(services, name));
    if (process.getuid?.() === 0) await rm(directory, { recursive: true, force: true });
    else await removeRootless(directory);
    const state = await readServicesState(services);
    if (state?.nodes[name] === undefined) return;
    const { [name]: _, ...nodes } = state.nodes;
    await writeServicesState(services, { ...state, nodes });
  });
}

/** The embedded R2 with these buckets: see r2.ts, which is loaded where a stack has such a volume. */
export async function ensureR2(buckets: readonly string[], progress: Progress = plainProgress()): Promise<RunningR2> {
  return (await import("./r2.ts")).ensureR2(buckets, progress);
}

/** Names of all daemons that were started beside the default one. */
export async function nodeNames(): Promise<string[]> {
  return (await buildkitInstances(home().services)).filter((name) => name !== DEFAULT_INSTANCE);
}

/** The last known state, without starting or asking anything. */
export async function lastKnownServices(): Promise<ServicesState | undefined> {
  return readServicesState(home().services);
}

/** How a service is now. */
export interface ServiceStatus {
  readonly name: string;
  /** `dead`: it was started and not stopped, but its process is gone; the next use starts it anew. */
  readonly state: "running" | "stopped" | "dead";
  readonly pid?: number;
  readonly address: string;
  readonly log: string;
}

/** How the services are, without starting anything. */
export async function servicesStatus(): Promise<ServiceStatus[]> {
  const { services } = home();
  return Promise.all(
    (await allServices(services)).map(async (remains) => {
      const [process] = await runningProcesses(remains);
      const stopped = (await wasStarted(remains.directory)) ? "dead" : "stopped";
      return {
        name: remains.name,
        state: process === undefined ? stopped : "running",
        ...(process === undefined ? {} : { pid: process.pid }),
        address: await remains.address(),
        log: logFile(remains.directory),
      };
    }),
  );
}

/** The last lines of each service's log. */
export async function servicesLogs(lines: number): Promise<{ name: string; lines: string[] }[]> {
  const all = await allServices(home().services);
  return Promise.all(all.map(async ({ name, directory }) => ({ name, lines: await logTail(directory, lines) })));
}

/**
 * Stops the gateway, the builders, then the registry and R2, and clears what they leave: processes of build steps, mounts, sockets.
 * @returns each service, and whether it was running.
 */
export async function stopServices(
  progress: Progress = plainProgress(),
): Promise<{ name: string; wasRunning: boolean }[]> {
  return locked("stopping the builder and the registry", progress, async (services) => {
    const stopped: { name: string; wasRunning: boolean }[] = [];
    for (const remains of await allServices(services))
      stopped.push({ name: remains.name, wasRunning: await stopService(remains) });
    return stopped;
  });
}

/** Stops the gateway alone. @returns whether it was running. */
export async function stopGateway(progress: Progress = plainProgress()): Promise<boolean> {
  const { gatewayRemains } = await import("./gateway.ts");
  return locked("stopping the gateway", progress, (services) => stopService(gatewayRemains(services)), "gateway");
}

/** A folder of the services that holds data, and what it takes on disk. */
export interface ServicesData {
  readonly what: string;
  readonly directory: string;
  /** Bytes on disk. */
  readonly size: number;
}

/** What {@link purgeServices} would delete. */
export async function servicesData(): Promise<ServicesData[]> {
  const { services } = home();
  const [{ r2Data }, { gatewayDirectory }] = await Promise.all([import("./r2.ts"), import("./gateway.ts")]);
  const candidates = [
    { what: "images in the registry", directory: join(registryDirectory(services), "data") },
    { what: "objects of the embedded R2", directory: r2Data(services) },
    { what: "the gateway's container and its tools", directory: gatewayDirectory(services) },
    ...(await buildkitInstances(services)).map((name) => ({
      what: `cache of the builder ${name}`,
      directory: join(buildkitDirectory(services), name),
    })),
  ];
  const sized = await Promise.all(candidates.map(async (c) => ({ ...c, size: await diskUsage(c.directory) })));
  return sized.filter(({ size }) => size > 0);
}

/** Stops the services and deletes the registry's images, R2's objects, the gateway's container and the builders' caches; certificates, keys and ports stay. */
export async function purgeServices(): Promise<void> {
  await stopServices();
  await locked("deleting the data of the builder and the registry", silent, async (services) => {
    for (const { directory } of await servicesData()) {
      const mounts = await mountsBelow(directory);
      if (mounts.length > 0)
        throw new UserError(
          `expected no mount below ${directory}, found ${mounts[0]}`,
          "umount it, then run this again",
        );
      if (process.getuid?.() === 0) await rm(directory, { recursive: true, force: true });
      else await removeRootless(directory);
    }
    const state = await readServicesState(services);
    if (state !== undefined) await writeServicesState(services, { ...state, nodes: {} });
  });
}

async function startRegistry(
  services: string,
  before: ServicesState | undefined,
  progress: Progress,
): Promise<RunningRegistry> {
  const tls = await ensureTls(join(services, "tls"), new Date());
  const tool = await ensureTool("docker-registry", progress);
  const last = before === undefined ? undefined : Number(before.registry.host.split(":")[1]);
  const { registry, outcome } = await onFreePort(async () => {
    const service = await registryService(services, tool, tls, last);
    return { registry: service, outcome: await ensureRunning(service, registryRemains(services)) };
  });
  const host = `localhost:${registry.port}`;
  if (outcome !== "running") progress.say(`registry: listens on ${host}`);
  return { host, ca: tls.ca, trust: tls.trust, notices: registry.notice === undefined ? [] : [registry.notice] };
}

async function ensureBuildkitTools(progress: Progress): Promise<BuildkitTools> {
  const rootlesskit = process.getuid?.() === 0 ? undefined : await findRootlesskit();
  const tools = {
    buildkitd: await ensureTool("buildkitd", progress),
    buildctl: (await ensureTool("buildctl", progress)).path,
    runc: (await ensureTool("runc", progress)).path,
  };
  return rootlesskit === undefined ? tools : { ...tools, rootlesskit };
}

async function prepareHostTrust(services: string): Promise<{ trust: string; withheld: readonly string[] }> {
  const trust = join(services, "host-trust");
  const found = hostTrust(await readHostSettings());
  await writeHostTrust(trust, found);
  return { trust, withheld: found.withheld };
}

/** Has the kernel emulate the other platforms. @returns a line for each that it can't. */
async function registerEmulators(progress: Progress): Promise<string[]> {
  const others = PLATFORMS.filter((platform) => platform !== nativePlatform());
  const findEmulator = async () => (await ensureTool("qemu", progress)).path;
  const problems = await Promise.all(others.map((platform) => registerEmulator(platform, findEmulator)));
  return problems.filter((line) => line !== undefined);
}

async function startInstance(
  services: string,
  name: string,
  tools: BuildkitTools,
  registry: RegistryEndpoint,
  trust: string,
  options: InstanceOptions,
  before: BuildkitInstance | undefined,
) {
  const service = await buildkitService(services, name, tools, registry, trust, options);
  const outcome = await ensureRunning(service, buildkitRemains(services, name));
  const { address } = service;
  if (outcome === "running" && before?.address === address) return { outcome, instance: before };
  // A daemon lists all that the machine runs, whatever its configuration limits it to.
  const able = await buildkitPlatforms(tools.buildctl, address);
  const platforms = able.filter((p) => options.platforms?.includes(p) ?? true);
  const instance = { address, platforms, native: platforms.filter((p) => p === nativePlatform()) };
  return { outcome, instance };
}

/** What uses others first: the gateway, the builders, then the registry, then R2; of the first and the last, where they were ever started. */
async function allServices(services: string) {
  const names = new Set([...(await buildkitInstances(services)), DEFAULT_INSTANCE]);
  const registry = async () => `https://localhost:${(await readRegistryConfig(services))?.port ?? "?"}`;
  const { hasR2, lastKnownR2, r2Remains } = await import("./r2.ts");
  const r2 = async () => (await lastKnownR2(services))?.endpoint ?? "http://127.0.0.1:?";
  const { gatewayRemains, hasGateway, lastKnownGateway } = await import("./gateway.ts");
  const gateway = async () => (await lastKnownGateway(services)) ?? "http://127.0.0.1:?";
  return [
    ...((await hasGateway(services)) ? [{ ...gatewayRemains(services), address: gateway }] : []),
    ...[...names].map((name) => ({
      ...buildkitRemains(services, name),
      address: async () => buildkitAddress(services, name),
    })),
    { ...registryRemains(services), address: registry },
    ...((await hasR2(services)) ? [{ ...r2Remains(services), address: r2 }] : []),
  ];
}

/** Bytes that a folder takes on disk; 0 when it is absent or empty. */
async function diskUsage(directory: string): Promise<number> {
  if ((await readdir(directory).catch(() => [])).length === 0) return 0;
  const { stdout } = await execa("du", ["-sk", "--", directory], { reject: false });
  return Number.parseInt(stdout, 10) * 1024 || 0;
}
