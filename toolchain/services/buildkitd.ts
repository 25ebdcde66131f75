import { createHash } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { UserError } from "../../core/error.ts";
import { PLATFORMS, type Platform } from "../../core/platform.ts";
import { writeFileChanged } from "../files.ts";
import type { Tool } from "../tool.ts";
import { cgroupName, endCgroup, removeCgroups } from "./cgroup.ts";
import { daemonEnvironment } from "./environment.ts";
import { unmountBelow } from "./mounts.ts";
import { ROOTLESSKIT_OPTIONS } from "./rootless.ts";
import { writeRuncWrapper } from "./runc.ts";
import { grpcAnswers, makeSocketDirectory, socketDirectory } from "./socket.ts";
import type { Service, ServiceRemains } from "./supervise.ts";

/** The instance that `npm run up` uses; others are nodes for tests and for builds apart. */
export const DEFAULT_INSTANCE = "default";

const SOCKET = "buildkitd.sock";
const TRACE_SOCKET = "otel-grpc.sock";

/**
 * Disk that an instance's cache may take, in BuildKit's notation. What it leaves free is no share of the disk, as BuildKit's
 * default is: on a large one that empties the cache while tens of gigabytes are free.
 */
const GC = { reservedSpace: "10GB", maxUsedSpace: "60GB", minFreeSpace: "10GB" };

/** Programs that a BuildKit daemon is made of. */
export interface BuildkitTools {
  readonly buildkitd: Tool;
  readonly buildctl: string;
  readonly runc: string;
  /** Runs buildkitd in a user namespace; absent when root starts it. */
  readonly rootlesskit?: string;
}

export interface InstanceOptions {
  /** Platforms that it builds. Default: all that the machine runs, natively or emulated. */
  readonly platforms?: readonly Platform[];
}

/** A BuildKit daemon as a service. */
export interface BuildkitService extends Service {
  /** @example "unix:///home/me/.cache/keelson/services/buildkit/default/buildkitd.sock" */
  readonly address: string;
}

/** The registry that a daemon pulls from in docker.io's place, and pushes to. */
export interface RegistryEndpoint {
  /** @example "localhost:5443" */
  readonly host: string;
  /** PEM file of its CA. */
  readonly ca: string;
}

export function buildkitDirectory(services: string): string {
  return join(services, "buildkit");
}

/** Address that an instance listens on, whether or not it runs. */
export function buildkitAddress(services: string, name: string): string {
  const directory = instanceDirectory(services, name);
  return `unix://${join(socketDirectory(directory, TRACE_SOCKET), SOCKET)}`;
}

/** Names of the instances that were ever started. */
export async function buildkitInstances(services: string): Promise<string[]> {
  return (await readdir(buildkitDirectory(services)).catch(() => [])).toSorted();
}

/**
 * A BuildKit daemon with the OCI worker: build steps run on the host's network through the runc wrapper; docker.io is
 * looked for in the embedded registry first.
 * @param name letters, digits and dashes.
 */
export async function buildkitService(
  services: string,
  name: string,
  tools: BuildkitTools,
  registry: RegistryEndpoint,
  trust: string,
  options: InstanceOptions,
): Promise<BuildkitService> {
  const directory = instanceDirectory(services, name);
  const sockets = socketDirectory(directory, TRACE_SOCKET);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const binary = await writeRuncWrapper(join(directory, "bin"), tools.runc, join(directory, "runc"), trust);
  const config = buildkitConfig({
    directory,
    sockets,
    binary,
    registry,
    cgroup: tools.rootlesskit === undefined ? await cgroupName(directory) : undefined,
    platforms: options.platforms ?? [],
  });
  await writeFileChanged(configFile(directory), config, 0o600);
  const daemon = [tools.buildkitd.path, ...daemonArguments(directory)];
  const [command = "", ...args] =
    tools.rootlesskit === undefined ? daemon : [tools.rootlesskit, ...ROOTLESSKIT_OPTIONS, ...daemon];
  return {
    name: serviceName(name),
    directory,
    command,
    args,
    env: { ...daemonEnvironment(), TMPDIR: join(directory, "tmp") },
    revision: createHash("sha256")
      .update(`${[command, ...args].join("\0")}\0${config}`)
      .digest("hex"),
    prepare: async () => {
      await mkdir(join(directory, "tmp"), { recursive: true, mode: 0o700 });
      await makeSocketDirectory(sockets);
    },
    answers: () => grpcAnswers({ path: join(sockets, SOCKET) }),
    readyWithin: 60,
    address: buildkitAddress(services, name),
  };
}

/** How to stop an instance, and what it may leave: processes of build steps, mounts, control groups, sockets. */
export function buildkitRemains(services: string, name: string): ServiceRemains {
  const directory = instanceDirectory(services, name);
  return {
    name: serviceName(name),
    directory,
    args: daemonArguments(directory),
    // Without root its steps can't be ended apart from it, and it would wait for them; all end with its namespace.
    grace: process.getuid?.() === 0 ? 15 : 3,
    interrupt: () => endCgroup(directory), // it waits for the builds that run
    sweep: async () => {
      await endCgroup(directory);
      await unmountBelow(directory);
      await rm(join(directory, "runc"), { recursive: true, force: true }); // runc's record of the steps ended above
      await rm(join(directory, "tmp"), { recursive: true, force: true });
      await removeCgroups(directory);
      const sockets = socketDirectory(directory, TRACE_SOCKET);
      for (const socket of [SOCKET, TRACE_SOCKET]) await rm(join(sockets, socket), { force: true });
      if (sockets !== directory) await rm(sockets, { recursive: true, force: true });
    },
  };
}

/** What the daemon's TOML file says. @see https://github.com/moby/buildkit/blob/v0.31.0/docs/buildkitd.toml.md */
export function buildkitConfig(options: {
  readonly directory: string;
  readonly sockets: string;
  readonly binary: string;
  readonly registry: RegistryEndpoint;
  /** Control group of the steps; undefined without root, which may make none. */
  readonly cgroup: string | undefined;
  readonly platforms: readonly Platform[];
}): string {
  const { directory, sockets, binary, registry } = options;
  const text = (value: string) => JSON.stringify(value); // a TOML basic string takes JSON's escapes
  return `# Written by keelson at each start.
root = ${text(join(directory, "state"))}
# Steps are on the host's network already; builds that ask for it by name are let.
insecure-entitlements = ["network.host"]

[grpc]
address = [${text(`unix://${join(sockets, SOCKET)}`)}]

[otel]
socketPath = ${text(join(sockets, TRACE_SOCKET))}

[worker.containerd]
enabled = false

[worker.oci]
enabled = true
rootless = ${options.cgroup === undefined}
binary = ${text(binary)}
# The host's network, so that RUN reaches package mirrors and proxies that listen on loopback.
networkMode = "host"
${options.cgroup === undefined ? "" : `defaultCgroupParent = ${text(options.cgroup)}\n`}${
  options.platforms.length === 0 ? "" : `platforms = [${options.platforms.map(text).join(", ")}]\n`
}gc = true
reservedSpace = ${text(GC.reservedSpace)}
maxUsedSpace = ${text(GC.maxUsedSpace)}
minFreeSpace = ${text(GC.minFreeSpace)}

[registry."docker.io"]
mirrors = [${text(registry.host)}]

[registry.${text(registry.host)}]
http = false
ca = [${text(registry.ca)}]
`;
}

const workersSchema = z.array(z.object({ platforms: z.array(z.object({ os: z.string(), architecture: z.string() })) }));

/** Platforms that a running daemon builds, natively or emulated, of those that keelson knows. */
export async function buildkitPlatforms(buildctl: string, address: string): Promise<Platform[]> {
  // buildctl's own limit of 5 s is short for a daemon that has just started on a busy machine.
  const args = ["--addr", address, "--timeout", "60", "debug", "workers", "--format", "{{json .}}"];
  const { stdout, stderr, shortMessage } = await execa(buildctl, args, { timeout: 70_000, reject: false });
  // On a busy machine buildctl may answer, and then fail to hand its own traces to the daemon: the answer counts.
  if (stdout.trim() === "")
    throw new UserError(
      `the builder at ${address} does not say what it builds: ${stderr.trim() || shortMessage}`,
      "see its log (`npm run keelson -- services logs`), then run this again",
    );
  const found = workersSchema.parse(JSON.parse(stdout)).flatMap((worker) => worker.platforms);
  return PLATFORMS.filter((platform) => found.some((p) => `${p.os}/${p.architecture}` === platform));
}

function instanceDirectory(services: string, name: string): string {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name))
    throw new UserError(
      `expected a builder's name of letters, digits and dashes, found ${JSON.stringify(name)}`,
      "rename it",
    );
  return join(buildkitDirectory(services), name);
}

function serviceName(name: string): string {
  return name === DEFAULT_INSTANCE ? "buildkit" : `buildkit-${name}`;
}

function daemonArguments(directory: string): string[] {
  return ["--config", configFile(directory)];
}

function configFile(directory: string): string {
  return join(directory, "buildkitd.toml");
}
