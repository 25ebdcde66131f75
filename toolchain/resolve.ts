import { existsSync, mkdirSync, realpathSync, rmSync, statSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import semver from "semver";
import { formatSeconds } from "../core/duration.ts";
import { UserError } from "../core/error.ts";
import { checkEntry, commitEntry, removeLeftovers, type Scrutiny, temporaryFolder } from "./cache.ts";
import { requireSpace } from "./disk.ts";
import { findExecutable, versionOf } from "./executable.ts";
import { type Home, home, prepareHome } from "./home.ts";
import { describeHolder, withLock } from "./lock.mjs";
import type { Progress } from "./progress.ts";
import { timed } from "./timings.ts";
import { type Source, SourceError, type Tool, type ToolDefinition } from "./tool.ts";

/**
 * A tool, ready to run: from PATH where it is new enough, else from the cache, else by the first source that works.
 * Two processes that want the same tool take turns; a corrupt entry is told of and made anew.
 * @throws UserError where there is no way to get it from here.
 */
export async function ensure(tool: ToolDefinition, progress: Progress, h: Home = home()): Promise<Tool> {
  const ready = await findTool(tool, h);
  if (ready.state === "ready") return ready.tool;
  prepareHome(h);
  const title = `${tool.name} ${tool.version}`;
  return withLock(
    join(h.locks, `tool-${tool.name}.lock`),
    async () => {
      const again = await findTool(tool, h);
      if (again.state === "ready") return again.tool;
      if (again.state === "corrupt") progress.say(`${title}: ${again.reason}; fetching it anew`);
      await removeLeftovers(h, tool.name);
      return obtain(tool, title, progress, h);
    },
    { what: `getting ${title}`, onWait: (holder) => progress.say(`${title}: waiting for ${describeHolder(holder)}`) },
  );
}

async function obtain(tool: ToolDefinition, title: string, progress: Progress, h: Home): Promise<Tool> {
  const obstacles: string[] = [];
  for (const source of tool.sources) {
    const obstacle = await source.obstacle();
    if (obstacle === undefined) {
      await requireSpace(h.root, source.bytes, `${title} (${source.label})`);
      progress.say(`${title}: ${source.label}`);
      const start = performance.now();
      try {
        const made = await timed(`tool ${tool.name} ${source.origin}`, () => provide(tool, source, progress, h));
        progress.say(`${title}: ready after ${formatSeconds((performance.now() - start) / 1000)}`);
        return made;
      } catch (error) {
        if (!(error instanceof SourceError)) throw error;
        obstacles.push(error.message);
      }
    } else obstacles.push(obstacle);
    if (source !== tool.sources.at(-1)) progress.say(`${title}: ${obstacles.at(-1)}`);
  }
  throw new UserError(
    `${title} (${tool.purpose}) can't be had: ${obstacles.join("; ")}`,
    `install ${tool.name} ${tool.range}, or what is named above, and run the command again`,
  );
}

async function provide(tool: ToolDefinition, source: Source, progress: Progress, h: Home): Promise<Tool> {
  const folder = await temporaryFolder(h, tool.name);
  try {
    await source.provide(folder, { ...progress, status: (text) => progress.status(`${tool.name}: ${text}`) });
    if (!source.key) return await installed(tool, h);
    const version = await checkVersion(tool, join(folder, tool.file ?? tool.name));
    const target = entryFolder(h, tool, source.key());
    mkdirSync(dirname(target), { recursive: true });
    await commitEntry(folder, target, { tool: tool.name, version, origin: source.origin });
    return { name: tool.name, version, path: join(target, tool.file ?? tool.name), origin: source.origin };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * A cache entry's folder. Homes that share one tools folder by a link (tests and benches do) give one path to all of
 * their processes: a daemon is started anew where its program's path changed.
 */
function entryFolder(h: Home, tool: ToolDefinition, key: string): string {
  return join(existsSync(h.tools) ? realpathSync(h.tools) : h.tools, tool.name, key);
}

async function installed(tool: ToolDefinition, h: Home): Promise<Tool> {
  const found = await fromPath(tool, h);
  if (!found) throw new SourceError(`${tool.name} is not on PATH after its installation, or older than ${tool.range}`);
  return { ...found, origin: "package" };
}

async function checkVersion(tool: ToolDefinition, path: string): Promise<string> {
  if (!tool.versionArguments) return tool.version;
  const version = await versionOf(path, tool.versionArguments);
  if (version && semver.satisfies(version, tool.range)) return version;
  throw new SourceError(`what came says version ${version ?? "unknown"}, needed is ${tool.range}`);
}

/** What is there of a tool without getting anything. */
export type ToolState =
  | { readonly state: "ready"; readonly tool: Tool }
  | { readonly state: "corrupt"; readonly reason: string }
  | { readonly state: "missing" };

/** Looks for a tool on PATH and in the cache. */
export async function findTool(
  tool: ToolDefinition,
  h: Home = home(),
  scrutiny: Scrutiny = "quick",
): Promise<ToolState> {
  const onPath = await fromPath(tool, h);
  if (onPath) return { state: "ready", tool: onPath };
  let state: ToolState = { state: "missing" };
  for (const source of tool.sources) {
    if (!source.key) continue;
    const folder = entryFolder(h, tool, source.key());
    const entry = await checkEntry(folder, scrutiny);
    if (entry.state === "good" && semver.satisfies(entry.manifest.version, tool.range)) {
      const path = join(folder, tool.file ?? tool.name);
      return {
        state: "ready",
        tool: { name: tool.name, version: entry.manifest.version, path, origin: source.origin },
      };
    }
    if (entry.state === "corrupt") state = { state: "corrupt", reason: `cache entry ${folder}: ${entry.reason}` };
  }
  return state;
}

/** The first on PATH that is new enough; the links that `keelson env` puts there don't count. */
async function fromPath(tool: ToolDefinition, h: Home): Promise<Tool | undefined> {
  if (!tool.versionArguments) return undefined;
  const path = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.endsWith("/.keelson/bin"))
    .join(delimiter);
  for (const name of [tool.name, ...(tool.aliases ?? [])]) {
    const found = findExecutable(name, path);
    const version = found && (await rememberedVersion(found, tool.versionArguments, h));
    if (found && version && semver.satisfies(version, tool.range, { includePrerelease: true })) {
      return { name: tool.name, version, path: found, origin: "path" };
    }
  }
  return undefined;
}

/** A program's version, asked once for each of its contents: starting it takes up to half a second. */
async function rememberedVersion(path: string, versionArguments: readonly string[], h: Home) {
  const { size, mtimeMs, ino } = statSync(path);
  const key = JSON.stringify([realpathSync(path), size, mtimeMs, ino, versionArguments]);
  const file = join(h.tools, "path-versions.json");
  const remembered = await readVersions(file);
  const cached = remembered[key];
  if (cached !== undefined) return cached;
  const version = (await versionOf(path, versionArguments)) ?? "";
  await writeVersions(file, { ...remembered, [key]: version });
  return version;
}

async function readVersions(file: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    return {}; // not there yet
  }
}

/** Two runs may write at once: one of them is forgotten, neither is garbled. A home that can't be written remembers nothing. */
async function writeVersions(file: string, versions: Record<string, string>): Promise<void> {
  const fresh = `${file}.${process.pid}`;
  await writeFile(fresh, JSON.stringify(versions))
    .then(() => rename(fresh, file))
    .catch(() => {});
}
