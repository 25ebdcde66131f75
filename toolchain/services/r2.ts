import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { writeFileChanged } from "../files.ts";
import { type Progress, plainProgress } from "../progress.ts";
import { daemonEnvironment } from "./environment.ts";
import { locked } from "./locked.ts";
import { type ChosenPort, choosePort, onFreePort } from "./port.ts";
import { answersWell } from "./probe.ts";
import { findByEnvironment, identify, signal, waitForEnd } from "./process.ts";
import { ensureRunning, type Service, type ServiceRemains } from "./supervise.ts";

/** Where the embedded R2 is looked for first; beside the registry's range. */
const DEFAULT_PORT = 5643;
/** Path of miniflare's S3 endpoint (its `CorePaths.R2_S3`). */
const ENDPOINT_PATH = "/cdn-cgi/local/r2/s3";
/** A variable that all of the service's processes have: finds its runtime where its own process is gone. */
const MARK = "KEELSON_R2";

/** What the server (r2-server.ts) reads at its start, and keelson reads back. */
export const r2ConfigSchema = z.object({
  port: z.int().min(1).max(65535),
  accessKeyId: z.string().regex(/^[0-9a-f]{32}$/),
  secretAccessKey: z.string().regex(/^[0-9a-f]{64}$/),
  /** All that were ever asked for: a stack does not take another one's away. */
  buckets: z.array(z.string().min(1)),
  /** Folder of the objects. */
  data: z.string().min(1),
  /** Hash of miniflare's version and the secret: what it answers at `/`, so that no other program is taken for it. */
  revision: z.string(),
});
type R2Config = z.infer<typeof r2ConfigSchema>;

/** The embedded R2, running: an S3 endpoint on loopback, path style, region `auto`. */
export interface RunningR2 {
  /** @example "http://127.0.0.1:5643/cdn-cgi/local/r2/s3" */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly buckets: readonly string[];
  readonly notices: readonly string[];
}

/**
 * Sees to it that the embedded R2 (miniflare's) runs and has these buckets; what they hold stays over restarts.
 * @example
 * const { endpoint, accessKeyId, secretAccessKey } = await ensureR2(["tools"]);
 * @throws UserError where it doesn't start.
 */
export async function ensureR2(buckets: readonly string[], progress: Progress = plainProgress()): Promise<RunningR2> {
  return locked("starting R2", progress, async (services) => {
    const { service, outcome } = await onFreePort(async () => {
      const wanted = await r2Service(services, buckets);
      return { service: wanted, outcome: await ensureRunning(wanted, r2Remains(services)) };
    });
    if (outcome !== "running") progress.say(`R2: listens on 127.0.0.1:${service.config.port}`);
    return { ...stateOf(service.config), notices: service.notice === undefined ? [] : [service.notice] };
  });
}

/** The embedded R2 as it was last started, without starting or asking anything; undefined where it never was. */
export async function lastKnownR2(services: string): Promise<Omit<RunningR2, "notices"> | undefined> {
  const config = await readR2Config(services);
  return config && stateOf(config);
}

/** Whether it runs now and has the bucket. */
export async function r2Serves(services: string, bucket: string): Promise<boolean> {
  const config = await readR2Config(services);
  return config?.buckets.includes(bucket) === true && (await answers(config));
}

export function r2Directory(services: string): string {
  return join(services, "r2");
}

/** Where the objects are. */
export function r2Data(services: string): string {
  return join(r2Directory(services), "data");
}

interface R2Service extends Service {
  readonly config: R2Config;
  readonly notice?: string;
}

/** The embedded R2 as a service: node with r2-server.ts, whose child is the Workers runtime. */
export async function r2Service(services: string, buckets: readonly string[]): Promise<R2Service> {
  const directory = r2Directory(services);
  const data = r2Data(services);
  await mkdir(data, { recursive: true, mode: 0o700 });
  const before = await readR2Config(services);
  const { port, notice } = await portOf(services, before?.port);
  const secretAccessKey = before?.secretAccessKey ?? randomBytes(32).toString("hex");
  const config: R2Config = {
    port,
    accessKeyId: before?.accessKeyId ?? randomBytes(16).toString("hex"),
    secretAccessKey,
    buckets: [...new Set([...(before?.buckets ?? []), ...buckets])].toSorted(),
    data,
    revision: hash(`${await miniflareVersion()}\0${secretAccessKey}`),
  };
  const text = `${JSON.stringify(config, undefined, 2)}\n`;
  await writeFileChanged(configFile(directory), text, 0o600);
  return {
    name: "r2",
    directory,
    command: process.execPath,
    args: [join(import.meta.dirname, "r2-server.ts"), ...r2Arguments(directory)],
    env: { ...daemonEnvironment(), [MARK]: directory },
    revision: hash(text),
    answers: () => answers(config),
    readyWithin: 30,
    config,
    ...(notice === undefined ? {} : { notice }),
  };
}

/** How to stop it, whether or not its configuration can be read. */
export function r2Remains(services: string): ServiceRemains {
  const directory = r2Directory(services);
  return { name: "r2", directory, args: r2Arguments(directory), grace: 5, sweep: () => endRuntime(directory) };
}

/** Whether it was ever configured: the services' status then tells of it. */
export async function hasR2(services: string): Promise<boolean> {
  return (await readdir(r2Directory(services)).catch(() => [])).length > 0;
}

function stateOf({ port, accessKeyId, secretAccessKey, buckets }: R2Config) {
  return { endpoint: `http://127.0.0.1:${port}${ENDPOINT_PATH}`, accessKeyId, secretAccessKey, buckets };
}

async function readR2Config(services: string): Promise<R2Config | undefined> {
  try {
    return r2ConfigSchema.parse(JSON.parse(await readFile(configFile(r2Directory(services)), "utf8")));
  } catch {
    return undefined; // never made, or damaged: made anew, with other keys
  }
}

function r2Arguments(directory: string): string[] {
  return ["serve", configFile(directory)];
}

function configFile(directory: string): string {
  return join(directory, "config.json");
}

/** The port of before is ours while the runtime has it, even one that its server left behind: the start ends it. */
async function portOf(services: string, before: number | undefined): Promise<ChosenPort> {
  const ours = before !== undefined && (await findByEnvironment(MARK, r2Directory(services))).length > 0;
  return ours ? { port: before } : choosePort("R2", { first: DEFAULT_PORT, before });
}

/** The runtime outlives a server that was killed, and holds its port and files. */
async function endRuntime(directory: string): Promise<void> {
  const left = await Promise.all((await findByEnvironment(MARK, directory)).map(identify));
  const processes = left.filter((p) => p !== undefined);
  for (const { pid } of processes) signal(pid, "SIGKILL");
  await waitForEnd(processes, 10);
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

async function miniflareVersion(): Promise<string> {
  const file = new URL("../../package.json", import.meta.resolve("miniflare"));
  return z.object({ version: z.string() }).parse(JSON.parse(await readFile(file, "utf8"))).version;
}

/** Whether the server that was started with this configuration answers. */
function answers({ port, revision }: R2Config): Promise<boolean> {
  const query = request({ host: "127.0.0.1", port, path: "/", timeout: 2000, agent: false });
  return answersWell(query, async (response) => (await text(response)) === revision && response.statusCode === 200);
}
