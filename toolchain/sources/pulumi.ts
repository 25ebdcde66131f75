import { copyFile, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import semver from "semver";
import { goArch, hostPlatform } from "../platform.ts";
import type { Progress } from "../progress.ts";
import { whyUnreachable } from "../reachable.ts";
import { type Source, SourceError, type Tool } from "../tool.ts";

/** A download that takes longer than this is given up; the engine's installers have no bound of their own. */
const TIMEOUT_MS = 10 * 60_000;

/** Pulumi's own installer, through its Automation API; brings the official language hosts too. */
export function pulumiDownload(version: string, bytes: number): Source {
  return {
    origin: "download",
    label: "official download",
    bytes,
    key: () => `${version}-${hostPlatform}`,
    obstacle: async () => {
      const archive = `pulumi-v${version}-${process.platform}-${process.arch}.tar.gz`;
      const why = await whyUnreachable(`https://get.pulumi.com/releases/sdk/${archive}`);
      return why && `official download: ${why}`;
    },
    provide: async (folder, progress) => {
      progress.status("downloading");
      const { PulumiCommand } = await import("@pulumi/pulumi/automation/cmd.js");
      const wanted = new semver.SemVer(version);
      await within(TIMEOUT_MS, PulumiCommand.install({ root: folder, version: wanted, skipVersionCheck: true }));
    },
  };
}

/** The official build of a provider, by `pulumi plugin install`. */
export function pluginDownload(
  plugin: { name: string; version: string; file: string; bytes: number },
  pulumi: (progress: Progress) => Promise<Tool>,
): Source {
  const { name, version, file } = plugin;
  return {
    origin: "download",
    label: "official download",
    bytes: plugin.bytes,
    key: () => `${version}-${hostPlatform}`,
    obstacle: async () => {
      const archive = `pulumi-resource-${name}-v${version}-${process.platform}-${goArch()}.tar.gz`;
      const why = await whyUnreachable(`https://get.pulumi.com/releases/plugins/${archive}`);
      return why && `official download: ${why}`;
    },
    provide: async (folder, progress) => {
      progress.status("downloading");
      const own = join(folder, "home");
      const args = ["plugin", "install", "resource", name, version];
      const result = await execa((await pulumi(progress)).path, args, {
        env: { PULUMI_HOME: own, PULUMI_SKIP_UPDATE_CHECK: "true" },
        timeout: TIMEOUT_MS,
        reject: false,
        stdin: "ignore",
      });
      if (result.exitCode !== 0)
        throw new SourceError(`pulumi plugin install: ${result.stderr.trim().split("\n").at(-1)}`);
      await mkdir(dirname(join(folder, file)), { recursive: true });
      const executable = `pulumi-resource-${name}`;
      await copyFile(join(own, "plugins", `resource-${name}-v${version}`, executable), join(folder, file));
      await rm(own, { recursive: true });
    },
  };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SourceError(`no end after ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    throw error instanceof SourceError ? error : new SourceError((error as Error).message.split("\n")[0]);
  } finally {
    clearTimeout(timer);
  }
}
