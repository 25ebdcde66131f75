import { readFile } from "node:fs/promises";
import { UserError } from "../core/error.ts";
import { RegistryClient } from "./client.ts";
import { dockerCredentials, type Environment } from "./credentials.ts";
import type { SessionOptions } from "./session.ts";

/**
 * A client for a registry with what this machine knows of it: its CA file, and the docker config's login, unless other
 * credentials are given; a function is called when the registry first asks for a login.
 * @example const client = await openRegistry("localhost:5443", { caFile: services.registry.ca, env: process.env });
 * @throws UserError when the CA file can't be read.
 */
export async function openRegistry(
  host: string,
  options: {
    readonly caFile?: string;
    readonly credentials?: SessionOptions["credentials"];
    readonly plainHttp?: boolean;
    readonly env: Environment;
  },
): Promise<RegistryClient> {
  const { caFile, credentials, plainHttp = false, env } = options;
  const ca = caFile === undefined ? undefined : await readCa(caFile, host);
  return new RegistryClient({
    host,
    plainHttp,
    env,
    credentials: credentials ?? (() => dockerCredentials(host, env)),
    ...(ca === undefined ? {} : { ca }),
  });
}

async function readCa(file: string, host: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new UserError(
      `the CA certificate of ${host} can't be read from ${file}`,
      "start the registry (`npm run up`) or mend the path",
      {
        cause,
      },
    );
  }
}
