import { cp, mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { findExecutable } from "../executable.ts";
import { home } from "../home.ts";
import { hostPlatform } from "../platform.ts";
import { type Source, SourceError } from "../tool.ts";

/**
 * Takes files out of a Debian package without installing it: no root, no daemon started, no package of the machine's
 * removed for it (Debian's runc would replace Docker's). apt checks the package against its archive's signature.
 * For self-contained programs: what a package depends on does not come along.
 * @param files place in the cache entry to path in the package.
 * @example debSource("runc", { runc: "usr/sbin/runc" }, 40e6)
 */
export function debSource(name: string, files: Readonly<Record<string, string>>, bytes: number): Source {
  return {
    origin: "package",
    label: `from the Debian package ${name}`,
    bytes,
    key: () => `deb-${hostPlatform}`,
    obstacle: async () =>
      findExecutable("apt-get") && findExecutable("dpkg-deb")
        ? undefined
        : `no apt-get here; install ${name} with this system's package manager`,
    provide: async (folder, progress) => {
      const work = join(folder, "deb");
      await mkdir(work);
      progress.status(`downloading ${name}`);
      await download(name, work);
      const [deb] = (await readdir(work)).filter((file) => file.endsWith(".deb"));
      if (!deb) throw new SourceError(`apt-get download ${name} brought no file`);
      await execa("dpkg-deb", ["--extract", join(work, deb), join(work, "root")]);
      for (const [place, path] of Object.entries(files)) {
        await mkdir(dirname(join(folder, place)), { recursive: true });
        await cp(join(work, "root", path), join(folder, place), { recursive: true, preserveTimestamps: true });
      }
      await execa("rm", ["-rf", work]);
    },
  };
}

/** With the machine's own lists; where it has none or old ones, with fresh ones in keelson's home. */
async function download(name: string, cwd: string): Promise<void> {
  const first = await aptGet([], ["download", name], cwd);
  if (first.exitCode === 0) return;
  const own = join(home().root, "apt");
  await mkdir(join(own, "lists", "partial"), { recursive: true });
  await mkdir(join(own, "cache", "archives", "partial"), { recursive: true });
  const options = ["-o", `Dir::State::Lists=${join(own, "lists")}`, "-o", `Dir::Cache=${join(own, "cache")}`];
  await aptGet(options, ["update"], cwd);
  const second = await aptGet(options, ["download", name], cwd);
  if (second.exitCode !== 0) throw new SourceError(`apt-get download ${name}: ${lastLine(second.stderr)}`);
}

/**
 * Installs a Debian package and what it depends on, for programs that must stand where their package puts them.
 * Only for packages without a daemon.
 */
export function aptSource(name: string, bytes: number): Source {
  return {
    origin: "package",
    label: `Debian package ${name}, installed`,
    bytes,
    obstacle: async () => {
      if (!findExecutable("apt-get")) return `no apt-get here; install ${name} with this system's package manager`;
      return process.getuid?.() === 0 ? undefined : `not root; run: sudo apt-get install ${name}`;
    },
    provide: async (folder, progress) => {
      progress.status(`installing ${name}`);
      const install = ["install", "--yes", "--no-install-recommends", name];
      if ((await aptGet([], install, folder)).exitCode === 0) return;
      await aptGet([], ["update"], folder);
      const second = await aptGet([], install, folder);
      if (second.exitCode !== 0) throw new SourceError(`apt-get install ${name}: ${lastLine(second.stderr)}`);
    },
  };
}

function aptGet(options: readonly string[], args: readonly string[], cwd: string) {
  // Another apt may be at work: it is waited for.
  const common = ["-qq", "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=1", "-o", "DPkg::Lock::Timeout=300"];
  return execa("apt-get", [...common, ...options, ...args], {
    cwd,
    reject: false,
    stdin: "ignore",
    env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
  });
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
