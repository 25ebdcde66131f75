import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, copyFile, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { unpack } from "../archive/unpack.ts";
import { reasonOf, ToolError } from "../error.ts";
import { removeTree } from "../local/store.ts";
import type { Platform } from "../platform.ts";
import { type ToolSpec, transferTimeoutOf } from "../spec/tool-spec.ts";
import { runInstaller, verify } from "./commands.ts";
import { download } from "./download.ts";
import type { Workshop } from "./workshop.ts";

/** A way to a working tool, other than the volume. */
export interface Way {
  readonly label: string;
  readonly requires: readonly string[];
  /** True where it compiles: never tried because a network failed, for compiling is what runs out of memory. */
  readonly compiles: boolean;
  /** What it installs. */
  readonly version: string;
  /** Fills the prefix. */
  readonly run: (shop: Workshop, prefix: string) => Promise<void>;
}

const MAX_ENTRIES = 1_000_000;

/** What a command is called in a message: of a shell, nobody knows which script it runs. @example commandLabel("/bin/sh") // "the install script" */
function commandLabel(command: string): string {
  return /(?:^|\/)(?:ba|da)?sh$/.test(command) ? "the install script" : command;
}

/** The ways to a tool on a platform, in the order to try. */
export function waysTo(spec: ToolSpec, platform: Platform): Way[] {
  const ways: Way[] = [];
  const [url, checksum] = [spec.prebuilt[platform], spec.checksum[platform]];
  if (url !== undefined && checksum !== undefined)
    ways.push({
      label: "the prebuilt archive",
      requires: [],
      compiles: false,
      version: spec.version,
      run: (shop, prefix) => fetchPrebuilt(shop, spec, url, checksum.replace("sha256:", ""), prefix),
    });
  const commands = [
    { installCmd: spec.installCmd, requires: spec.requires, compiles: spec.compiles, version: spec.version },
    ...spec.fallbacks,
  ];
  for (const way of commands) {
    if (way.installCmd.length === 0) continue;
    const { version = spec.version } = way;
    ways.push({
      label: commandLabel(way.installCmd[0] as string),
      requires: way.requires,
      compiles: way.compiles,
      version,
      run: (shop, prefix) =>
        inScratch(shop, spec, (work) => runInstaller(shop, { ...spec, version }, way, prefix, work)),
    });
  }
  return ways;
}

/**
 * Fills an empty prefix with a working tool: each way in turn, until one ends with a tool that verifies.
 * Compiling doesn't follow a network that failed, unless TOOL_LOADER_COMPILE says that it may.
 * @param require gets what a way needs
 * @returns the version that is there now
 * @throws ToolError with what every way ended with
 */
export async function install(
  shop: Workshop,
  spec: ToolSpec,
  prefix: string,
  require: (name: string) => Promise<void>,
): Promise<string> {
  const failures: { way: Way; error: ToolError }[] = [];
  let held = "";
  for (const way of waysTo(spec, shop.platform)) {
    const network = failures.some((f) => f.error.kind === "transient");
    if (way.compiles && network && !shop.config.TOOL_LOADER_COMPILE) {
      held = "; it is not compiled for that, unless TOOL_LOADER_COMPILE=1";
      continue;
    }
    try {
      for (const name of way.requires) await require(name);
      await removeTree(prefix);
      await mkdir(prefix, { recursive: true });
      await way.run(shop, prefix);
      shop.report({ event: "phase", tool: spec.name, phase: "verifying" });
      await verify(shop, spec, prefix);
      return way.version;
    } catch (error) {
      shop.signal.throwIfAborted();
      await removeTree(prefix);
      // What the disk or a library says may pass.
      const failure =
        error instanceof ToolError ? error : new ToolError("transient", reasonOf(error), { cause: error });
      shop.report({ event: "note", level: "warn", tool: spec.name, message: `${way.label}: ${failure.message}` });
      failures.push({ way, error: failure });
    }
  }
  if (failures.length === 0) throw new ToolError("permanent", `there is no way to ${spec.name} on ${shop.platform}`);
  const message = failures.map((f) => `${f.way.label}: ${f.error.message}`).join("; ") + held;
  const kind = failures.some((f) => f.error.kind === "transient") ? "transient" : "permanent";
  throw new ToolError(kind, message, { log: failures.at(-1)?.error.log });
}

async function fetchPrebuilt(
  shop: Workshop,
  spec: ToolSpec,
  url: string,
  sha256: string,
  prefix: string,
): Promise<void> {
  const { clock, random, signal, at } = shop;
  shop.report({ event: "phase", tool: spec.name, phase: "downloading" });
  const file = await download({
    urls: [
      ...shop.config.TOOL_LOADER_MIRRORS.map((m) => `${m.replace(/\/$/, "")}/${sha256}`),
      url.replaceAll("{version}", spec.version),
    ],
    sha256,
    directory: at.downloads,
    quarantine: at.quarantine,
    maxBytes: spec.size,
    timeout: transferTimeoutOf(spec),
    clock,
    random,
    signal,
    onBytes: (done, total) => shop.report({ event: "progress", tool: spec.name, done, total: total ?? null }),
  });
  shop.report({ event: "phase", tool: spec.name, phase: "installing" });
  const name = new URL(url).pathname;
  const encoding = /\.(tgz|tar\.gz)$/.test(name)
    ? "gzip"
    : name.endsWith(".tar.zst")
      ? "zstd"
      : name.endsWith(".tar")
        ? "none"
        : undefined;
  if (encoding === undefined) await placeBinary(spec, file, prefix);
  else
    await unpack(createReadStream(file), await directoryFor(spec, prefix), {
      encoding,
      sha256,
      strip: spec.strip,
      bytes: spec.size,
      entries: MAX_ENTRIES,
    });
  await rm(file, { force: true });
}

async function directoryFor(spec: ToolSpec, prefix: string): Promise<string> {
  const directory = join(prefix, spec.into ?? "");
  await mkdir(directory, { recursive: true });
  return directory;
}

/** A download that is no archive is the tool's one command. */
async function placeBinary(spec: ToolSpec, file: string, prefix: string): Promise<void> {
  const path = Object.values(spec.bin)[0];
  if (path === undefined) throw new ToolError("permanent", "a prebuilt binary needs a `bin` that says where it goes");
  await mkdir(dirname(join(prefix, path)), { recursive: true });
  await copyFile(file, join(prefix, path));
  await chmod(join(prefix, path), 0o755);
}

async function inScratch(shop: Workshop, spec: ToolSpec, action: (work: string) => Promise<void>): Promise<void> {
  shop.report({ event: "phase", tool: spec.name, phase: "installing" });
  const work = join(shop.at.staging, `work-${spec.name}-${randomBytes(6).toString("hex")}`);
  await mkdir(work);
  try {
    await action(work);
  } finally {
    await rm(work, { recursive: true, force: true, maxRetries: 3 });
  }
}
