import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import type { Credentials } from "../../oci/auth.ts";
import { RegistryClient } from "../../oci/client.ts";
import { ensureAuthority, ensureCertificate } from "../../toolchain/services/certificates.ts";
import { ensureTls } from "../../toolchain/services/tls.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { freePort } from "./port.ts";

/** A registry of a test's own: it stands for one on the network. */
export interface TestRegistry {
  /** `localhost:PORT` */
  readonly host: string;
  readonly client: RegistryClient;
  stop(): void;
}

/** The only user of a registry, with the bcrypt hash of the password, as htpasswd writes it. */
type Login = Extract<Credentials, { username: string }> & { readonly hash: string };

/** Password "canary-hunter2". */
export const CANARY: Login = {
  username: "ada",
  password: "canary-hunter2",
  hash: "$2b$04$geP8GOneg6axPfoIBegVHOuzAF4z9MyADhYJ6VY/NkzAXSdLfSJXi",
};

/**
 * Without TLS: on loopback BuildKit speaks http to it.
 * @param folder is made
 * @param login Default: everybody may all.
 */
export async function startRegistry(folder: string, login?: Login): Promise<TestRegistry> {
  const host = `localhost:${await freePort()}`;
  const client = new RegistryClient({ host, plainHttp: true, ...(login ? { credentials: login } : {}) });
  return serve(folder, { addr: host }, client, login);
}

/** {@link TestRegistry} with TLS. */
export interface TlsRegistry extends TestRegistry {
  /** PEM file of the CA that signed its certificate. */
  readonly ca: string;
}

/** {@link startRegistry} with TLS. */
export async function startTlsRegistry(folder: string, login?: Login): Promise<TlsRegistry> {
  mkdirSync(folder, { recursive: true });
  const { ca, certificate, key } = await ensureTls(join(folder, "tls"), new Date());
  const host = `localhost:${await freePort()}`;
  const options = { host, ca: readFileSync(ca, "utf8"), backoff: [] };
  const client = new RegistryClient({ ...options, ...(login ? { credentials: login } : {}) });
  return { ...(await serve(folder, { addr: host, tls: { certificate, key } }, client, login)), ca };
}

/**
 * {@link startTlsRegistry} for other machines: it listens on an address of this one that they reach.
 * @param address IPv4
 */
export async function startNetworkRegistry(folder: string, address: string): Promise<TlsRegistry> {
  mkdirSync(folder, { recursive: true });
  const files = (name: string) => ({ certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) });
  const only = `${address
    .split(".")
    .map((byte) => Number(byte).toString(16).padStart(2, "0"))
    .join("")}ffffffff`;
  const authority = await ensureAuthority(files("ca"), "network CA", { dns: [], ip: [only] }, new Date());
  const request = { commonName: address, server: { dns: [], ip: [address] } };
  await ensureCertificate(files("server"), authority, request, new Date());
  const host = `${address}:${await freePort()}`;
  const client = new RegistryClient({ host, ca: authority.pem, backoff: [] });
  return { ...(await serve(folder, { addr: host, tls: files("server") }, client)), ca: files("ca").certificate };
}

async function serve(folder: string, http: object, client: RegistryClient, login?: Login): Promise<TestRegistry> {
  mkdirSync(folder, { recursive: true });
  const [file, users] = [join(folder, "registry.yml"), join(folder, "htpasswd")];
  if (login) writeFileSync(users, `${login.username}:${login.hash}\n`);
  writeFileSync(
    file,
    JSON.stringify({
      version: 0.1,
      log: { level: "error" },
      storage: { filesystem: { rootdirectory: join(folder, "data") }, delete: { enabled: true } },
      http,
      ...(login ? { auth: { htpasswd: { realm: "test", path: users } } } : {}),
    }),
  );
  const child = spawn((await ensureTool("docker-registry")).path, ["serve", file], { stdio: "ignore" });
  for (let tries = 0; ; tries++) {
    try {
      await client.ping();
      return { host: client.host, client, stop: () => child.kill() };
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(100);
    }
  }
}

/** A clone of this checkout's last commit, with its dependencies. */
export async function cloneCheckout(folder: string): Promise<string> {
  const project = join(import.meta.dirname, "../..");
  await execa("git", ["clone", "--quiet", project, folder]);
  symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
  return folder;
}
