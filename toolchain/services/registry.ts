import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { execa } from "execa";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { writeFileChanged } from "../files.ts";
import type { Tool } from "../tool.ts";
import { daemonEnvironment } from "./environment.ts";
import { type ChosenPort, choosePort } from "./port.ts";
import { answersWell } from "./probe.ts";
import { runningProcesses, type Service, type ServiceRemains } from "./supervise.ts";
import type { TlsFiles } from "./tls.ts";

/** Where the embedded registry is looked for first: 5000 is the field's default, and often taken. */
export const DEFAULT_PORT = 5443;

/** The parts of docker-registry's configuration that keelson reads back. */
const configSchema = z.object({
  http: z.object({ addr: z.string().regex(/^127\.0\.0\.1:\d+$/), secret: z.string().min(32) }),
});

/** The registry as a service, with the port that it was given. */
export interface RegistryService extends Service {
  readonly port: number;
  /** What a person should know: that another port than before was chosen. */
  readonly notice?: string;
}

export function registryDirectory(services: string): string {
  return join(services, "registry");
}

/**
 * The embedded registry: docker-registry on loopback, with TLS, storage of its own, deletion allowed and no access log.
 * Its port is kept in its configuration; another is chosen only where something else holds it.
 * @param tool docker-registry.
 * @param lastPort what it had, for when its configuration was lost.
 */
export async function registryService(
  services: string,
  tool: Tool,
  tls: TlsFiles,
  lastPort?: number,
): Promise<RegistryService> {
  const directory = registryDirectory(services);
  await mkdir(join(directory, "data"), { recursive: true, mode: 0o700 });
  const before = await readRegistryConfig(services);
  const { port, notice } = await portOf(services, before?.port ?? lastPort);
  const config = stringify({
    version: 0.1,
    log: { level: "warn", accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(directory, "data") },
      delete: { enabled: true },
      cache: { blobdescriptor: "inmemory" },
    },
    http: {
      addr: `127.0.0.1:${port}`,
      // Signs the state of uploads: kept, so that an upload goes on after a restart.
      secret: before?.secret ?? randomBytes(32).toString("hex"),
      tls: { certificate: tls.certificate, key: tls.key, minimumtls: "tls1.2" },
    },
  });
  await writeFileChanged(configFile(directory), config, 0o600);
  const certificate = await readFile(tls.certificate, "utf8");
  const env = { ...daemonEnvironment(), OTEL_TRACES_EXPORTER: "none" };
  return {
    name: "registry",
    directory,
    command: tool.path,
    args: registryArguments(directory),
    env,
    prepare: () => collectGarbage(directory, tool, env),
    revision: createHash("sha256").update(`${tool.version}\0${config}\0${certificate}`).digest("hex"),
    answers: () => answers(port, tls.ca),
    readyWithin: 20,
    port,
    ...(notice === undefined ? {} : { notice }),
  };
}

/**
 * Has the registry give back, before its next start, the disk of blobs that no manifest needs any more. While it serves,
 * docker-registry can't: it would take away layers whose manifest is still to be pushed.
 */
export async function collectAtNextStart(services: string): Promise<void> {
  await writeFile(garbageMark(registryDirectory(services)), "");
}

function garbageMark(directory: string): string {
  return join(directory, "collect-garbage");
}

/** One that fails is tried again at the next start: the registry serves all the same. */
async function collectGarbage(directory: string, tool: Tool, env: Readonly<Record<string, string>>): Promise<void> {
  if (!existsSync(garbageMark(directory))) return;
  const { failed } = await execa(tool.path, ["garbage-collect", configFile(directory)], {
    env: { ...env },
    extendEnv: false,
    reject: false,
    stdout: "ignore",
    stderr: "ignore",
  });
  if (!failed) await rm(garbageMark(directory));
}

/** How to stop the registry, whether or not its configuration can be read. */
export function registryRemains(services: string): ServiceRemains {
  const directory = registryDirectory(services);
  return {
    name: "registry",
    directory,
    args: registryArguments(directory),
    grace: 5,
    sweep: async () => {},
  };
}

/** Port and upload secret of the last start; undefined when there was none, or its file is damaged. */
export async function readRegistryConfig(services: string): Promise<{ port: number; secret: string } | undefined> {
  try {
    const { http } = configSchema.parse(parse(await readFile(configFile(registryDirectory(services)), "utf8")));
    return { port: Number(http.addr.split(":")[1]), secret: http.secret };
  } catch {
    return undefined;
  }
}

async function portOf(services: string, before: number | undefined): Promise<ChosenPort> {
  const running = before !== undefined && (await runningProcesses(registryRemains(services))).length > 0;
  return running ? { port: before } : choosePort("registry", { first: DEFAULT_PORT, before });
}

function registryArguments(directory: string): string[] {
  return ["serve", configFile(directory)];
}

function configFile(directory: string): string {
  return join(directory, "config.yml");
}

/** Whether a registry whose certificate our CA signed answers: any other program on that port doesn't count. */
async function answers(port: number, caFile: string): Promise<boolean> {
  const ca = await readFile(caFile, "utf8").catch(() => undefined);
  if (ca === undefined) return false;
  return answersWell(request({ host: "127.0.0.1", servername: "localhost", port, path: "/v2/", ca, timeout: 2000 }));
}
