import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { z } from "zod";
import { UserError } from "../../core/error.ts";
import { writeFileAtomic } from "../files.ts";
import { identify, isRunning } from "../services/process.ts";

const SCRIPT = join(import.meta.dirname, "scripts/host");
/** Until systemd, sshd and the engine are up; it takes a tenth of that on an idle machine. In seconds. */
const READY_WITHIN = 120;

const hostSchema = z.object({
  name: z.string(),
  address: z.string(),
  keyFile: z.string(),
  knownHosts: z.string(),
  registry: z.string(),
  root: z.string(),
  id: z.string(),
  process: z.object({ pid: z.number(), startTicks: z.string(), boot: z.string() }),
});

/** A Debian host that runs: ssh takes its key for `root`, `admin` (who may sudo without a password) and `guest` (who may not). */
export interface LabHost {
  /** @example "vps1" */
  readonly name: string;
  /** IPv4, from this machine. */
  readonly address: string;
  /** Private key, OpenSSH's format. */
  readonly keyFile: string;
  /** File in OpenSSH's format that pins the host's key. */
  readonly knownHosts: string;
  /** The embedded registry, as the host reaches it too. @example "localhost:5443" */
  readonly registry: string;
}

/** Of all networks on one machine: home and name decide, so that two labs don't meet. */
export function addressesOf(folder: string): { readonly id: string; readonly here: string; readonly there: string } {
  const hash = createHash("sha256").update(folder).digest();
  const [high = 0, low = 0] = hash;
  return {
    id: `kl${hash.toString("hex", 2, 8)}`,
    here: `10.231.${high}.${low & 0xfe}`,
    there: `10.231.${high}.${low | 1}`,
  };
}

/** What a host has besides. */
export interface HostExtras {
  /** Ports of this machine's loopback that it reaches at this machine's end of the cable; the registry's is one. */
  readonly ports?: readonly number[];
  /** A network behind it. @example "10.232.7.0/24" */
  readonly network?: string;
  /** Writes into the layer that is the host's own, before it boots. */
  readonly prepare?: (upper: string) => Promise<void>;
}

/**
 * Boots a host in `folder`, anew.
 * @param root file system it stands on, never changed.
 * @param registry `localhost:PORT`, reached under that name from the host.
 */
export async function bootHost(
  name: string,
  folder: string,
  root: string,
  registry: { readonly host: string; readonly ca: string },
  extras: HostExtras = {},
): Promise<LabHost> {
  await removeHost(folder);
  const { id, here, there } = addressesOf(folder);
  const port = registry.host.split(":")[1] ?? "";
  const [upper, keyFile, knownHosts] = [join(folder, "upper"), join(folder, "key"), join(folder, "known_hosts")];
  await mkdir(join(upper, "etc/ssh"), { recursive: true });
  const hostKey = join(upper, "etc/ssh/ssh_host_ed25519_key");
  for (const key of [keyFile, hostKey]) await script("key", root, key);
  for (const [home, owner] of [
    ["root", 0],
    ["home/admin", 1000],
    ["home/guest", 1001],
  ] as const)
    await authorize(join(upper, home), owner, `${keyFile}.pub`);
  const trust = join(upper, "etc/docker/certs.d", registry.host);
  await mkdir(trust, { recursive: true });
  await copyFile(registry.ca, join(trust, "ca.crt"));
  await writeFile(
    knownHosts,
    `${there} ${(await readFile(`${hostKey}.pub`, "utf8")).split(" ").slice(0, 2).join(" ")}\n`,
  );
  await extras.prepare?.(upper);
  await script("up", root, id, folder, here, there, port, ...(extras.ports ?? []).map(String));
  if (extras.network !== undefined) await script("route", root, id, extras.network, there);

  const log = await open(join(folder, "log"), "w");
  // In a process namespace of its own: a host's first process would outlive nspawn, and all of the host with it.
  const apart = ["--mount", "--propagation", "private", "--pid", "--mount-proc", "--fork", "--kill-child"];
  const args = [...apart, "bash", SCRIPT, "run", root, id, folder];
  const child = spawn("unshare", args, { detached: true, stdio: ["ignore", log.fd, log.fd] });
  child.unref();
  await log.close();
  const process = child.pid === undefined ? undefined : await identify(child.pid);
  if (process === undefined)
    throw new Error(`systemd-nspawn did not start: ${await readFile(join(folder, "log"), "utf8")}`);
  const host: LabHost = { name, address: there, keyFile, knownHosts, registry: registry.host };
  await writeFileAtomic(join(folder, "host.json"), JSON.stringify({ ...host, root, id, process }), 0o600);
  for (let waited = 0; !existsSync(join(upper, "var/lib/lab-ready")); waited += 0.2) {
    await sleep(200);
    if (waited < READY_WITHIN && (await isRunning(process))) continue;
    const said = await readFile(join(folder, "log"), "utf8");
    await removeHost(folder);
    throw new UserError(
      `the lab host ${name} did not boot:\n${said.split("\n").slice(-15).join("\n")}`,
      "read the lines above",
    );
  }
  return host;
}

async function authorize(home: string, owner: number, key: string): Promise<void> {
  await mkdir(join(home, ".ssh"), { recursive: true, mode: 0o700 });
  await copyFile(key, join(home, ".ssh/authorized_keys"));
  await execa("chown", ["--recursive", `${owner}:${owner}`, home]);
}

/** The host in a folder, if it runs. */
export async function runningHost(folder: string): Promise<LabHost | undefined> {
  const state = await readState(folder);
  if (state === undefined || !(await isRunning(state.process))) return undefined;
  const { name, address, keyFile, knownHosts, registry } = state;
  return { name, address, keyFile, knownHosts, registry };
}

/** The root file system that a folder's host stands on, if there is one. */
export async function rootOf(folder: string): Promise<string | undefined> {
  return (await readState(folder))?.root;
}

/** Ends a host as a power cut does, and removes everything of it. */
export async function removeHost(folder: string): Promise<void> {
  const state = await readState(folder);
  if (state !== undefined) {
    if (await isRunning(state.process)) process.kill(state.process.pid, "SIGKILL");
    while (await isRunning(state.process)) await sleep(20);
    await script("down", state.root, state.id);
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
}

async function readState(folder: string) {
  const text = await readFile(join(folder, "host.json"), "utf8").catch(() => undefined);
  return text === undefined ? undefined : hostSchema.parse(JSON.parse(text));
}

async function script(...args: string[]): Promise<void> {
  await execa("bash", [SCRIPT, ...args]);
}
