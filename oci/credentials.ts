import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/error.ts";
import type { Credentials } from "./auth.ts";
import { parseAs, parseJson } from "./schemas.ts";

const dockerConfig = z.object({
  auths: z
    .record(
      z.string(),
      z.object({
        auth: z.string().nullish(),
        username: z.string().nullish(),
        password: z.string().nullish(),
        identitytoken: z.string().nullish(),
      }),
    )
    .nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
});

type DockerConfig = z.infer<typeof dockerConfig>;

const helperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/** The environment's variables that say where the docker config is, and the PATH that helpers are found on. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Credentials for a registry as `docker login` left them: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`
 * (podman's `$REGISTRY_AUTH_FILE` first), asking `credHelpers` or `credsStore` where the config says so.
 * @example await dockerCredentials("ghcr.io", process.env) // { username: "me", password: "…" } or undefined
 * @throws UserError when the file is no docker config, or a helper fails.
 */
export async function dockerCredentials(host: string, env: Environment): Promise<Credentials | undefined> {
  const file = configFile(env);
  const bytes = await readFile(file).catch(() => undefined);
  if (!bytes) return undefined;
  const config = readConfig(bytes, file);
  for (const key of keysFor(host)) {
    const helper = config.credHelpers?.[key] ?? config.credsStore;
    const found = helper ? await askHelper(helper, key, env) : undefined;
    const credentials = found ?? entryOf(config, key, file);
    if (credentials) return credentials;
  }
  return undefined;
}

function configFile(env: Environment): string {
  if (env.REGISTRY_AUTH_FILE) return env.REGISTRY_AUTH_FILE;
  if (env.DOCKER_CONFIG) return join(env.DOCKER_CONFIG, "config.json");
  // Not every system says HOME: Windows has another variable, and services may have none.
  return join(env.HOME || homedir(), ".docker", "config.json");
}

function readConfig(bytes: Buffer, file: string): DockerConfig {
  try {
    return parseAs(dockerConfig, parseJson(bytes));
  } catch (cause) {
    // What stands in the file may be a secret: the message says nothing of it.
    throw new UserError(
      `${file} is no docker config: expected JSON with "auths", "credHelpers" or "credsStore"`,
      `mend ${file}, or log in anew`,
      {
        cause,
      },
    );
  }
}

/**
 * The keys under which a registry's login may stand, the one that docker itself writes first; Docker Hub's is an address
 * of old, and BuildKit asks for no other.
 */
export function keysFor(host: string): string[] {
  const hub = ["docker.io", "index.docker.io", "registry-1.docker.io"];
  if (hub.includes(host)) return ["https://index.docker.io/v1/", ...hub];
  return [host, `https://${host}`, `https://${host}/`, `https://${host}/v1/`, `https://${host}/v2/`];
}

function entryOf(config: DockerConfig, key: string, file: string): Credentials | undefined {
  const entry = config.auths?.[key];
  if (!entry) return undefined;
  if (entry.identitytoken) return { identityToken: entry.identitytoken };
  if (entry.username && entry.password) return { username: entry.username, password: entry.password };
  if (!entry.auth) return undefined;
  const text = Buffer.from(entry.auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = text.indexOf(":");
  if (colon < 1) {
    throw new UserError(
      `${file}: the login for ${key} is not base64 of user:password`,
      `log in anew: \`docker login ${key}\``,
    );
  }
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Speaks the protocol of docker-credential-helpers: the server's address on stdin, JSON on stdout. */
async function askHelper(helper: string, key: string, env: Environment): Promise<Credentials | undefined> {
  const program = `docker-credential-${helper}`;
  const fail = (what: string): never => {
    throw new UserError(
      `${program} gives no credentials for ${key}: ${what}`,
      `install or mend ${program}, or log in anew`,
    );
  };
  if (!/^[\w.-]+$/.test(helper)) return fail("its name holds more than letters, digits, dots and dashes");
  // Loaded when needed: it would double the start time of a plugin that never asks a helper.
  const { execa } = await import("execa");
  const result = await execa(program, ["get"], {
    input: key,
    env: { ...env },
    extendEnv: false,
    reject: false,
    timeout: 30_000,
  });
  if (result.exitCode !== 0) {
    const missing = /credentials not found|no credentials|not found in native keychain/i.test(
      `${result.stdout}${result.stderr}`,
    );
    return missing
      ? undefined
      : fail(
          result.exitCode === undefined ? (result.shortMessage ?? "it did not start") : `exit code ${result.exitCode}`,
        );
  }
  const answer = helperAnswer.safeParse(safeJson(result.stdout));
  if (!answer.success) return fail("its answer is not JSON with Username and Secret");
  const { Username, Secret } = answer.data;
  return Username === "<token>" ? { identityToken: Secret } : { username: Username, password: Secret };
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
