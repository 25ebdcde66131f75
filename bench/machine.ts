import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { readBasesLock } from "../config/catalogue.ts";
import { RegistryClient } from "../oci/client.ts";
import { ensureBase } from "../toolchain/bases.ts";
import { home, prepareHome, projectRoot } from "../toolchain/home.ts";
import { silent } from "../toolchain/progress.ts";
import {
  ensureR2,
  ensureServices,
  purgeServices,
  type RunningR2,
  servicesStatus,
  stopServices,
} from "../toolchain/services/index.ts";
import { ensureTool, type ToolName } from "../toolchain/tools.ts";

/** What benches run, looked up before the home changes. */
const TOOLS: readonly ToolName[] = ["pulumi", "buildkitd", "buildctl", "buildx", "runc", "docker-registry", "qemu"];

/**
 * A machine of a bench's own: a keelson home with the user's tools, packages and made bases, and a builder and registry
 * that nobody else uses.
 */
export interface BenchMachine {
  /** For what the bench puts beside it; goes with the machine. */
  readonly folder: string;
  /** The registry's name in references. */
  readonly host: () => string;
  /** A base of images/bases.lock.json in the registry, by digest. */
  readonly base: (name: string) => string;
  /** Empties builder and registry, which then holds the bases alone. */
  readonly fresh: () => Promise<void>;
  /** Empties the builder's cache and all else that lies on the machine, as on one that has the registry alone. */
  readonly forget: () => Promise<void>;
  /**
   * Bytes that the registry has moved since it started, either way: what it wrote to its clients, and to its disk of what
   * they sent (`wchar` of proc_pid_io(5)); its log is in it, about 1 kB a request.
   */
  readonly registryBytes: () => Promise<number>;
  readonly remove: () => Promise<void>;
}

/** Makes the machine and points KEELSON_HOME to it. @example const machine = await benchMachine(); … await machine.remove() */
export async function benchMachine(): Promise<BenchMachine> {
  for (const tool of TOOLS) await ensureTool(tool);
  const users = prepareHome();
  const before = process.env.KEELSON_HOME;
  const folder = mkdtempSync(join(tmpdir(), "keelson-bench-"));
  const own = join(folder, "home");
  mkdirSync(own);
  for (const shared of ["tools", "store", "bases"]) {
    mkdirSync(join(users.root, shared), { recursive: true });
    symlinkSync(join(users.root, shared), join(own, shared));
  }
  process.env.KEELSON_HOME = own;
  let host = "";
  const bases = new Map<string, string>();

  async function start(): Promise<void> {
    const { registry } = await ensureServices(silent);
    host = registry.host;
    const client = new RegistryClient({ host, ca: await readFile(registry.ca, "utf8") });
    for (const locked of readBasesLock(projectRoot()).bases) {
      if (locked.bootstrap === undefined) continue;
      const { repository, digest } = await ensureBase(locked, client);
      bases.set(locked.name, `${host}/${repository}@${digest}`);
    }
  }
  await start();
  return {
    folder,
    host: () => host,
    base: (name) => bases.get(name) ?? name,
    async fresh() {
      await purgeServices();
      await start();
    },
    async forget() {
      const { buildkit } = await ensureServices(silent);
      await execa((await ensureTool("buildctl")).path, ["--addr", buildkit.address, "prune", "--all"]);
      rmSync(join(home().root, "scans"), { recursive: true, force: true });
    },
    async registryBytes() {
      const registry = (await servicesStatus()).find(({ name }) => name === "registry");
      const text = readFileSync(`/proc/${registry?.pid}/io`, "utf8");
      return Number(/^wchar: (\d+)$/m.exec(text)?.[1]);
    },
    async remove() {
      await stopServices(silent);
      if (before === undefined) delete process.env.KEELSON_HOME;
      else process.env.KEELSON_HOME = before;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** An embedded R2 that nobody else uses, with these buckets; points KEELSON_HOME to a home that has nothing else. */
export async function benchR2(...buckets: string[]): Promise<RunningR2 & { readonly remove: () => Promise<void> }> {
  const before = process.env.KEELSON_HOME;
  const own = mkdtempSync(join(tmpdir(), "keelson-bench-r2-"));
  process.env.KEELSON_HOME = own;
  const r2 = await ensureR2(buckets, silent);
  return {
    ...r2,
    async remove() {
      await stopServices(silent);
      if (before === undefined) delete process.env.KEELSON_HOME;
      else process.env.KEELSON_HOME = before;
      rmSync(own, { recursive: true, force: true });
    },
  };
}
