import { mkdir } from "node:fs/promises";
import { request } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { PLATFORMS, type Platform } from "../core/platform.ts";
import { type BuildxBuilder, buildxConfigDirectory } from "./buildx.ts";
import { writeFileChanged } from "./files.ts";
import type { RegistryEndpoint } from "./services/buildkitd.ts";

/** A daemon that takes longer to answer isn't used unasked: milliseconds. */
const PATIENCE = 1500;

/** BuildKit as Docker and Kubernetes run it: the version that the embedded builder has too. */
export const BUILDKIT_IMAGE = "moby/buildkit:v0.31.0";

/** Name of the buildx builder on Docker. */
export const DOCKER_BUILDER = "keelson-docker";

/** A Docker daemon that answers and has BuildKit. */
export interface DockerDaemon {
  /** @example "unix:///var/run/docker.sock" */
  readonly endpoint: string;
  /** What it runs natively; undefined where keelson doesn't know its architecture. */
  readonly platform: Platform | undefined;
}

const versionSchema = z.object({ Os: z.string(), Arch: z.string() });

/**
 * The Docker daemon of DOCKER_HOST, else of the usual sockets; undefined when none answers at once with BuildKit.
 * A daemon behind ssh or TLS isn't looked for: name its BuildKit as a remote node.
 */
export async function findDocker(env: Readonly<Record<string, string | undefined>>): Promise<DockerDaemon | undefined> {
  const sockets = ["/var/run/docker.sock", join(homedir(), ".docker/run/docker.sock")].map((path) => `unix://${path}`);
  const endpoints = env.DOCKER_HOST === undefined || env.DOCKER_HOST === "" ? sockets : [env.DOCKER_HOST];
  for (const endpoint of endpoints) {
    const ping = await get(endpoint, "/_ping");
    if (ping?.headers["builder-version"] !== "2") continue; // 2 is BuildKit, 1 the builder before it
    const version = versionSchema.safeParse(parse((await get(endpoint, "/version"))?.body));
    if (version.success)
      return { endpoint, platform: PLATFORMS.find((p) => p === `${version.data.Os}/${version.data.Arch}`) };
  }
  return undefined;
}

/**
 * A BuildKit container of that daemon's: its own builder can't push by digest or build several platforms. It is on the
 * host's network and trusts the embedded registry.
 */
export async function dockerBuilder(
  daemon: DockerDaemon,
  registry: RegistryEndpoint,
  image: string | undefined,
): Promise<BuildxBuilder> {
  const directory = buildxConfigDirectory();
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const daemonConfig = join(directory, "docker.toml");
  await writeFileChanged(daemonConfig, registryConfig(registry), 0o600);
  return {
    name: DOCKER_BUILDER,
    driver: "docker-container",
    nodes: [{ endpoint: daemon.endpoint, options: { image: image ?? BUILDKIT_IMAGE, network: "host" } }],
    daemonConfig,
  };
}

function registryConfig(registry: RegistryEndpoint): string {
  const text = (value: string) => JSON.stringify(value);
  return `[registry."docker.io"]
mirrors = [${text(registry.host)}]

[registry.${text(registry.host)}]
http = false
ca = [${text(registry.ca)}]

[worker.oci]
networkMode = "host"
`;
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

interface Answer {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Asks Docker's HTTP API; undefined when there is no answer with status 200 in time. */
async function get(endpoint: string, path: string): Promise<Answer | undefined> {
  const [, scheme, rest] = /^(unix|tcp):\/\/(.+)$/.exec(endpoint) ?? [];
  if (rest === undefined) return undefined;
  const target = scheme === "unix" ? { socketPath: rest, path } : { ...hostAndPort(rest), path };
  return new Promise((resolve) => {
    const query = request({ ...target, timeout: PATIENCE }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve(response.statusCode === 200 ? { headers: response.headers, body } : undefined));
    });
    query.on("timeout", () => query.destroy());
    query.on("error", () => resolve(undefined));
    query.on("close", () => resolve(undefined));
    query.end();
  });
}

/** Of a `tcp://` endpoint. */
export function hostAndPort(address: string): { host: string; port: number } {
  const { hostname, port } = new URL(`http://${address}`);
  return { host: hostname.replaceAll(/[[\]]/g, ""), port: Number(port || "2375") };
}
