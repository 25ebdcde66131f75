import { mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../core/error.ts";
import { keysFor } from "../../oci/credentials.ts";
import type { RegistryInputs } from "./image/inputs.ts";

interface DockerConfig {
  readonly auths?: Readonly<Record<string, unknown>>;
  readonly credHelpers?: Readonly<Record<string, unknown>>;
}

/**
 * Writes a docker config for buildx with the stack's login beside the user's own ones, into a file that this user alone
 * can read: a password is never an argument, nor in an environment. Without a login in the stack the user's own config
 * serves, and nothing is written.
 * @param folder is made
 * @returns what buildx needs in its environment.
 */
export async function writeLogin(
  { username, password }: RegistryInputs,
  host: string,
  folder: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Record<string, string>> {
  if (username === undefined || password === undefined) return {};
  const own = environment.DOCKER_CONFIG || join(environment.HOME || homedir(), ".docker");
  const config = await readConfig(join(own, "config.json"));
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  const keys = keysFor(host);
  const all = <Value>(value: Value) => Object.fromEntries(keys.map((key) => [key, value]));
  const merged = {
    ...config,
    auths: { ...config.auths, ...all({ auth }) },
    // No helper for these: a store of all logins, or a helper of this registry's, would be asked before `auths`.
    credHelpers: { ...config.credHelpers, ...all("") },
  };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, "config.json"), JSON.stringify(merged), { mode: 0o600 });
  return { DOCKER_CONFIG: folder };
}

async function readConfig(file: string): Promise<DockerConfig> {
  const text = await readFile(file, "utf8").catch(() => "{}");
  try {
    return JSON.parse(text) as DockerConfig;
  } catch {
    throw new UserError(`${file} is not JSON`, "mend it, or log in anew");
  }
}
