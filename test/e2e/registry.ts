import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import type { Credentials } from "../../oci/auth.ts";
import { RegistryClient } from "../../oci/client.ts";
import { ensureTls } from "../../toolchain/services/tls.ts";
import { ensureTool } from "../../toolchain/tools.ts";

/** A registry of a test's own, with TLS: it stands for one on the network. */
export interface TestRegistry {
  /** `localhost:PORT` */
  readonly host: string;
  /** PEM file of the CA that signed its certificate. */
  readonly ca: string;
  readonly client: RegistryClient;
  stop(): void;
}

/**
 * @param folder is made
 * @param login the only user, with the bcrypt hash of the password, as htpasswd writes it. Default: everybody may all.
 */
export async function startTlsRegistry(
  folder: string,
  login?: Extract<Credentials, { username: string }> & { readonly hash: string },
): Promise<TestRegistry> {
  mkdirSync(folder, { recursive: true });
  const { ca, certificate, key } = await ensureTls(join(folder, "tls"), new Date());
  const host = `localhost:${await freePort()}`;
  const [file, users] = [join(folder, "registry.yml"), join(folder, "htpasswd")];
  if (login) writeFileSync(users, `${login.username}:${login.hash}\n`);
  writeFileSync(
    file,
    JSON.stringify({
      version: 0.1,
      log: { level: "error" },
      storage: { filesystem: { rootdirectory: join(folder, "data") }, delete: { enabled: true } },
      http: { addr: host, tls: { certificate, key } },
      ...(login ? { auth: { htpasswd: { realm: "test", path: users } } } : {}),
    }),
  );
  const child = spawn((await ensureTool("docker-registry")).path, ["serve", file], { stdio: "ignore" });
  const options = { host, ca: readFileSync(ca, "utf8"), backoff: [] };
  const client = new RegistryClient({ ...options, ...(login ? { credentials: login } : {}) });
  for (let tries = 0; ; tries++) {
    try {
      await client.ping();
      return { host, ca, client, stop: () => child.kill() };
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
