import { createHash } from "node:crypto";
import { chmod, chown, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { UserError } from "../../core/error.ts";
import type { GatewayHealth } from "../../core/gateway-health.ts";
import { writeFileAtomic, writeFileChanged } from "../files.ts";
import type { Progress } from "../progress.ts";
import { cgroupName, endCgroup, removeCgroups } from "./cgroup.ts";
import { type ContainerOptions, containerSpec, type ImageProgram } from "./container.ts";
import { daemonEnvironment } from "./environment.ts";
import { hostTrust, IN_CONTAINER, readHostSettings, writeHostTrust } from "./host-trust.ts";
import { locked } from "./locked.ts";
import { choosePort, onFreePort } from "./port.ts";
import { answersWell } from "./probe.ts";
import {
  ensureRunning,
  type Outcome,
  runningProcesses,
  type Service,
  type ServiceRemains,
  stopService,
} from "./supervise.ts";

/** Where the loader's health and the gateway itself are looked for first; beside R2's range. */
const FIRST_PORTS = { health: 5843, gateway: 5943 };
/** runc's name of the container. */
const CONTAINER = "gateway";
/** Place of the volume in the container. */
const VOLUME = "/volume";
/** Changes when the container's surroundings do: one that runs is then started anew. */
const LAYOUT = 1;
/** Seconds that the loader and the gateway get to end; the loader's own grace is 20 s. */
const GRACE = 25;

const stateSchema = z.object({
  /** With its digest. */
  image: z.string().min(1),
  health: z.int().min(1).max(65535),
  gateway: z.int().min(1).max(65535),
});
type GatewayState = z.infer<typeof stateSchema>;

const healthSchema = z.object({
  status: z.string(),
  gateway: z.string(),
  tools: z.record(z.string(), z.string()),
  toolDetails: z.record(z.string(), z.object({ lastError: z.string().nullish() })).default({}),
  volume: z.object({ state: z.string(), message: z.string() }).optional(),
  notes: z.array(z.string()).default([]),
});

/** What is to run. */
export interface GatewayOrder {
  /** Reference with its digest: another one is another container. */
  readonly image: string;
  readonly runc: string;
  /** What it runs; asked only where it is started. */
  readonly program: () => Promise<ImageProgram>;
  /** Puts its files into a folder; asked only where they aren't there yet. */
  readonly unpack: (folder: string) => Promise<void>;
}

/** A gateway that answers. */
export interface RunningGateway {
  /** @example "http://127.0.0.1:5843" */
  readonly url: string;
  readonly outcome: Outcome;
  readonly notices: readonly string[];
}

/**
 * Sees to it that the gateway's image runs in a container on this machine's network, on loopback, and that its /health is 200. Its tools
 * load into the container, and are kept in a directory of keelson's home that stands for the volume.
 * @example const { url } = await ensureGateway({ image: "localhost:5443/gateway-core@sha256:…", runc, program, unpack }, progress);
 * @throws UserError where it doesn't start, with the end of its log.
 */
export async function ensureGateway(order: GatewayOrder, progress: Progress): Promise<RunningGateway> {
  // Its start uses the builder and takes up to minutes: it has a lock of its own.
  return locked("starting the gateway", progress, (services) => startGateway(services, order), "gateway");
}

async function startGateway(services: string, order: GatewayOrder): Promise<RunningGateway> {
  const { state, notices, outcome } = await onFreePort(async () => {
    const chosen = await chooseState(services, order.image);
    const service = await gatewayService(services, order, chosen.state);
    return { ...chosen, outcome: await ensureRunning(service, gatewayRemains(services)) };
  });
  return { url: urlOf(state), outcome, notices };
}

/** What a gateway says of itself and its tools. @throws Error where it doesn't answer in 5 s, or something else does. */
export async function askGateway(url: string): Promise<GatewayHealth> {
  const answer = await fetch(`${url}/health?full=true`, { signal: AbortSignal.timeout(5000) });
  return healthSchema.parse(await answer.json());
}

/** The gateway's address as it was last started; undefined where it never was. */
export async function lastKnownGateway(services: string): Promise<string | undefined> {
  const state = await readState(services);
  return state && urlOf(state);
}

/** Whether it was ever started: the services' status then tells of it. */
export async function hasGateway(services: string): Promise<boolean> {
  return (await readdir(gatewayDirectory(services)).catch(() => [])).length > 0;
}

/** Whom a command is run for. */
export interface ExecOptions {
  readonly runc: string;
  /** With a terminal, as a shell wants it. */
  readonly tty: boolean;
}

/**
 * Runs a command in the gateway's container, as the gateway's user and with its environment, on this process' own input and output.
 * @example await execInGateway(services, ["tool-loader", "doctor"], { runc, tty: false }) // 0
 * @returns the command's exit code
 * @throws UserError where no gateway runs.
 */
export async function execInGateway(
  services: string,
  command: readonly string[],
  options: ExecOptions,
): Promise<number> {
  if ((await runningProcesses(gatewayRemains(services))).length === 0)
    throw new UserError(
      "no gateway runs on this machine",
      "`npm run up` starts it, as root, where the stack has keelson:gateway.run",
    );
  const terminal = options.tty ? ["--tty"] : [];
  const root = join(gatewayDirectory(services), "runc");
  const { exitCode } = await execa(options.runc, ["--root", root, "exec", ...terminal, CONTAINER, ...command], {
    stdio: "inherit",
    reject: false,
  });
  return exitCode ?? 1;
}

export function gatewayDirectory(services: string): string {
  return join(services, "gateway");
}

/** How to stop it, whether or not anything is known of it. */
export function gatewayRemains(services: string): ServiceRemains {
  const directory = gatewayDirectory(services);
  return {
    name: "gateway",
    directory,
    args: runArguments(directory),
    grace: GRACE,
    sweep: async () => {
      await endCgroup(directory);
      await rm(join(directory, "runc"), { recursive: true, force: true }); // runc's record of the container ended above
      await removeCgroups(directory);
    },
  };
}

async function gatewayService(services: string, order: GatewayOrder, state: GatewayState): Promise<Service> {
  const directory = gatewayDirectory(services);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFileChanged(stateFile(services), `${JSON.stringify(state, undefined, 2)}\n`, 0o600);
  return {
    name: "gateway",
    directory,
    command: order.runc,
    args: ["--root", join(directory, "runc"), ...runArguments(directory)],
    env: daemonEnvironment(),
    revision: createHash("sha256")
      .update(JSON.stringify([LAYOUT, state]))
      .digest("hex"),
    prepare: async () => {
      const program = await order.program();
      await unpackOnce(directory, order);
      await writeBundle(directory, program, state);
    },
    answers: async () => isHealthy(state),
    // On a busy machine its cold start takes most of it.
    readyWithin: 180,
  };
}

/** Unpacks beside, then renames: a folder that is there is whole. Another image's is deleted, and its tools with it: the volume has them. */
async function unpackOnce(directory: string, { image, unpack }: GatewayOrder): Promise<void> {
  const marker = join(directory, "rootfs.json");
  const found = await readFile(marker, "utf8").catch(() => "");
  if (found === JSON.stringify(image)) return;
  await rm(marker, { force: true });
  for (const name of await readdir(directory))
    if (name.startsWith("rootfs")) await rm(join(directory, name), { recursive: true, force: true });
  const fresh = join(directory, "rootfs.new");
  await mkdir(fresh);
  await chmod(fresh, 0o755);
  await unpack(fresh);
  await rename(fresh, join(directory, "rootfs"));
  await writeFileAtomic(marker, JSON.stringify(image), 0o600);
}

async function writeBundle(directory: string, image: ImageProgram, state: GatewayState): Promise<void> {
  const [trust, volume] = [join(directory, "host-trust"), join(directory, "volume")];
  const found = hostTrust(await readHostSettings());
  await writeHostTrust(trust, found);
  const cgroup = `/${await cgroupName(directory)}/${CONTAINER}`;
  const spec = containerSpec(withPort(image, state.gateway), {
    rootfs: join(directory, "rootfs"),
    hostname: CONTAINER,
    env: { ...found.env, ...settings(state) },
    binds: [
      { source: "/etc/resolv.conf", target: "/etc/resolv.conf", writable: false },
      { source: "/etc/hosts", target: "/etc/hosts", writable: false },
      { source: trust, target: IN_CONTAINER, writable: false },
      { source: volume, target: VOLUME, writable: true },
    ] satisfies ContainerOptions["binds"],
    cgroup,
  });
  const { uid, gid } = (spec.process as { user: { uid: number; gid: number } }).user;
  await mkdir(volume, { recursive: true, mode: 0o700 });
  await chown(volume, uid, gid);
  await mkdir(join(directory, "bundle"), { recursive: true, mode: 0o700 });
  await writeFileAtomic(join(directory, "bundle", "config.json"), JSON.stringify(spec), 0o600);
}

/** On loopback alone: nothing of a development machine's gateway is for others. */
function settings({ health, gateway }: GatewayState): Record<string, string> {
  return {
    TOOL_LOADER_HOST: "127.0.0.1",
    TOOL_LOADER_PORT: String(health),
    TOOL_LOADER_GATEWAY_READY: `ws://127.0.0.1:${gateway}/`,
    TOOL_LOADER_VOLUME: `dir://${VOLUME}`,
    // clawdbot otherwise tells the local network of itself.
    CLAWDBOT_DISABLE_BONJOUR: "1",
  };
}

/** The image's program with another port than its own. @example withPort({ args: ["gw", "--port", "1"], … }, 2).args // ["gw", "--port", "2"] */
function withPort(program: ImageProgram, port: number): ImageProgram {
  const args = program.args.map((word, i) => (program.args[i - 1] === "--port" ? String(port) : word));
  return { ...program, args };
}

/** The ports of before are ours while the container runs; one that outlived its runc is ended first, for it holds them. */
async function chooseState(services: string, image: string): Promise<{ state: GatewayState; notices: string[] }> {
  const before = await readState(services);
  const running = before !== undefined && (await runningProcesses(gatewayRemains(services))).length > 0;
  if (running) return { state: { ...before, image }, notices: [] };
  await stopService(gatewayRemains(services));
  const health = await choosePort("gateway", { first: FIRST_PORTS.health, before: before?.health });
  const gateway = await choosePort("gateway", { first: FIRST_PORTS.gateway, before: before?.gateway });
  const notices = [health.notice, gateway.notice].filter((notice) => notice !== undefined);
  return { state: { image, health: health.port, gateway: gateway.port }, notices };
}

function runArguments(directory: string): string[] {
  return ["run", "--no-new-keyring", "--bundle", join(directory, "bundle"), CONTAINER];
}

async function readState(services: string): Promise<GatewayState | undefined> {
  try {
    return stateSchema.parse(JSON.parse(await readFile(stateFile(services), "utf8")));
  } catch {
    return undefined; // never made, or damaged: chosen anew
  }
}

function stateFile(services: string): string {
  return join(gatewayDirectory(services), "gateway.json");
}

function urlOf({ health }: GatewayState): string {
  return `http://127.0.0.1:${health}`;
}

function isHealthy({ health: port }: GatewayState): Promise<boolean> {
  return answersWell(request({ host: "127.0.0.1", port, path: "/health", timeout: 2000, agent: false }));
}
