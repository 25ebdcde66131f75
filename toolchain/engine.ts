import { request } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { UserError } from "../core/error.ts";
import { hostAndPort } from "./docker.ts";

/** A container engine of this machine, spoken to by Docker's API. */
export interface ContainerEngine {
  /** @example "unix:///var/run/docker.sock" */
  readonly endpoint: string;
  /** Of the engine's own machine. @example "linux/amd64" */
  readonly platform: string;
  readonly version: string;
}

/** An engine that takes longer to say who it is counts as none: milliseconds. */
const PATIENCE = 3000;

const versionSchema = z.object({ Os: z.string(), Arch: z.string(), Version: z.string() });
const loadedSchema = z.object({ Id: z.string(), Architecture: z.string(), Os: z.string() });
const saidSchema = z.object({ stream: z.string().optional(), error: z.string().optional() });

/**
 * The engine of DOCKER_HOST, else of Docker's and Podman's usual sockets.
 * @throws UserError that names every place that was asked, where none answers.
 */
export async function findEngine(env: Readonly<Record<string, string | undefined>>): Promise<ContainerEngine> {
  const endpoints = env.DOCKER_HOST ? [env.DOCKER_HOST] : usualSockets(env);
  const problems: string[] = [];
  for (const endpoint of endpoints) {
    try {
      const version = versionSchema.parse(JSON.parse(await text(endpoint, "/version")));
      return { endpoint, platform: `${version.Os}/${version.Arch}`, version: version.Version };
    } catch (error) {
      problems.push(`${endpoint}: ${said(error)}`);
    }
  }
  throw new UserError(
    `no container engine answers:\n  ${problems.join("\n  ")}`,
    "start Docker or Podman's API service, or set DOCKER_HOST to its socket (unix:///… or tcp://…)",
  );
}

function usualSockets(env: Readonly<Record<string, string | undefined>>): string[] {
  const own = env.XDG_RUNTIME_DIR
    ? [join(env.XDG_RUNTIME_DIR, "docker.sock"), join(env.XDG_RUNTIME_DIR, "podman/podman.sock")]
    : [];
  const all = ["/var/run/docker.sock", join(homedir(), ".docker/run/docker.sock"), ...own, "/run/podman/podman.sock"];
  return all.map((path) => `unix://${path}`);
}

/**
 * Puts an archive into an engine's images, and looks at what it made of it.
 * @returns the engine's id of the image
 * @throws UserError with what the engine said, and where what it has is not what was sent.
 */
export async function loadImage(
  { endpoint }: ContainerEngine,
  archive: Readable,
  expected: { readonly name: string; readonly platform: string; readonly ids: readonly string[] },
): Promise<string> {
  const answer = await send(endpoint, archive);
  const lines = answer.split(/\r?\n/).filter((line) => line.trim() !== "");
  const events = lines.map((line) => saidSchema.safeParse(json(line)).data ?? {});
  const error = events.find((event) => event.error !== undefined)?.error;
  if (error !== undefined)
    throw new UserError(`${endpoint} can't load ${expected.name}: ${error}`, "see the engine's own log");
  const found = loadedSchema.safeParse(json(await text(endpoint, `/images/${expected.name}/json`))).data;
  if (
    found === undefined ||
    !expected.ids.includes(found.Id) ||
    `${found.Os}/${found.Architecture}` !== expected.platform
  )
    throw new UserError(
      `${endpoint} took ${expected.name}, but has ${found === undefined ? "no such image" : `${found.Id} for ${found.Os}/${found.Architecture}`} in its place`,
      "see the engine's own log, then load it again",
    );
  return found.Id;
}

/** POSTs the archive; a stream that breaks off on the way here breaks off there as well. */
async function send(endpoint: string, archive: Readable): Promise<string> {
  const query = request({
    ...address(endpoint),
    method: "POST",
    path: "/images/load?quiet=1",
    headers: { "content-type": "application/x-tar" },
  });
  const answered = new Promise<string>((resolve, reject) => {
    query.on("error", reject);
    query.on("response", (response) => {
      read(response).then((body) => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${response.statusCode} ${messageOf(body)}`));
      }, reject);
    });
  });
  answered.catch(() => {}); // told below, once
  try {
    await pipeline(archive, query);
    return await answered;
  } catch (cause) {
    // What the engine said before it hung up tells more than that it did.
    const told = await Promise.race([
      answered.then(
        () => undefined,
        (error: unknown) => error,
      ),
      Promise.resolve(cause),
    ]);
    if (cause instanceof UserError) throw cause;
    throw new UserError(`${endpoint} did not take the image: ${said(told ?? cause)}`, "see the engine's own log", {
      cause,
    });
  }
}

/** Asks the engine; its answer's body. @throws Error for any answer but 200, and for none in time. */
async function text(endpoint: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const query = request({ ...address(endpoint), path, timeout: PATIENCE }, (response) => {
      read(response).then((body) => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`answers ${response.statusCode} ${messageOf(body)}`));
      }, reject);
    });
    query.on("timeout", () => query.destroy(new Error(`no answer within ${PATIENCE / 1000} s`)));
    query.on("error", reject);
    query.end();
  });
}

function address(endpoint: string): { socketPath: string } | { host: string; port: number } {
  const [, scheme, rest] = /^(unix|tcp):\/\/(.+)$/.exec(endpoint) ?? [];
  if (rest === undefined) throw new Error("expected unix://… or tcp://…");
  return scheme === "unix" ? { socketPath: rest } : hostAndPort(rest);
}

async function read(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function messageOf(body: string): string {
  return z.object({ message: z.string() }).safeParse(json(body)).data?.message ?? body.slice(0, 200);
}

function json(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ("code" in error && error.code === "ENOENT") return "no such socket";
  if ("code" in error && error.code === "ECONNREFUSED") return "nothing listens there";
  if ("code" in error && error.code === "EACCES") return "may not be opened by this user";
  return (error.message || String(error)).split("\n")[0] ?? "";
}
