import { createHash } from "node:crypto";
import { closeSync, createReadStream, fsyncSync, lstatSync, openSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import type { Home } from "./home.ts";
import { scratch } from "./leftovers.ts";
import type { Origin } from "./tool.ts";

const Manifest = z.object({
  schema: z.literal(1),
  tool: z.string(),
  version: z.string(),
  origin: z.enum(["download", "built", "package"]),
  /** By path in the entry, sorted. */
  files: z.record(
    z.string(),
    z.union([
      z.object({ sha256: z.string(), size: z.number(), mtimeMs: z.number(), executable: z.boolean() }),
      z.object({ link: z.string() }),
    ]),
  ),
});
/** What a cache entry holds; it stands in the entry as `manifest.json`. */
export type Manifest = z.infer<typeof Manifest>;

/** How closely {@link checkEntry} looks: `quick` trusts equal size and time, `full` hashes every byte. */
export type Scrutiny = "quick" | "full";

export type EntryState =
  | { readonly state: "missing" }
  | { readonly state: "corrupt"; readonly reason: string }
  | { readonly state: "good"; readonly manifest: Manifest };

/**
 * Whether a cache entry is what was put there.
 * @example await checkEntry("/…/tools/pulumi/3.259.0-linux-x64", "quick")
 */
export async function checkEntry(folder: string, scrutiny: Scrutiny): Promise<EntryState> {
  const manifest = readManifest(folder);
  if (typeof manifest === "string") return { state: "corrupt", reason: manifest };
  if (!manifest) return { state: "missing" };
  let touched = false;
  for (const [name, expected] of Object.entries(manifest.files)) {
    const path = join(folder, name);
    const reason = await difference(path, expected, scrutiny);
    if (reason) return { state: "corrupt", reason: `${name} ${reason}` };
    touched ||= "sha256" in expected && timeOf(path) !== expected.mtimeMs;
  }
  if (touched) await rememberTimes(folder, manifest);
  return { state: "good", manifest };
}

/** After a copy the bytes are right and the times new: remembered, so that the next look is quick again. */
async function rememberTimes(folder: string, manifest: Manifest): Promise<void> {
  for (const [name, file] of Object.entries(manifest.files)) {
    if ("sha256" in file) file.mtimeMs = timeOf(join(folder, name));
  }
  await writeManifest(folder, manifest, `manifest.json.${process.pid}`).catch(() => {});
}

function timeOf(path: string): number {
  return Math.trunc(lstatSync(path).mtimeMs);
}

async function writeManifest(folder: string, manifest: Manifest, through: string): Promise<void> {
  await writeFile(join(folder, through), `${JSON.stringify(manifest, undefined, 1)}\n`);
  await rename(join(folder, through), join(folder, "manifest.json"));
}

/** The manifest, undefined where there is no entry, or what is wrong with it. */
function readManifest(folder: string): Manifest | string | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, "manifest.json"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") return `manifest.json: ${(error as Error).message}`;
    return lstatSync(folder, { throwIfNoEntry: false }) ? "has no manifest.json" : undefined;
  }
  try {
    const parsed = Manifest.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : "manifest.json is not one of keelson's";
  } catch {
    return "manifest.json is no JSON";
  }
}

async function difference(path: string, expected: Manifest["files"][string], scrutiny: Scrutiny) {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return "is gone";
  if ("link" in expected) return found.isSymbolicLink() && readlinkSync(path) === expected.link ? "" : "changed";
  if (!found.isFile()) return "is no file";
  if (found.size !== expected.size) return `has ${found.size} bytes, expected ${expected.size}`;
  if (((found.mode & 0o100) !== 0) !== expected.executable) return "changed its mode";
  if (scrutiny === "quick" && timeOf(path) === expected.mtimeMs) return "";
  return (await sha256(path)) === expected.sha256 ? "" : "does not match its hash";
}

/**
 * Makes a folder into a cache entry, so that a crash at any point leaves the old entry, the new one or none:
 * hashes, writes to disk for good, then renames.
 */
export async function commitEntry(
  folder: string,
  target: string,
  about: { tool: string; version: string; origin: Exclude<Origin, "path"> },
): Promise<Manifest> {
  const files: Manifest["files"] = {};
  for (const path of (await filesBelow(folder)).sort()) files[relative(folder, path)] = await record(path);
  const manifest: Manifest = { schema: 1, ...about, files };
  await writeManifest(folder, manifest, "manifest.json.new");
  sync(join(folder, "manifest.json"));
  sync(folder);
  await mkdir(dirname(target), { recursive: true });
  await rename(target, `${folder}.old`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rename(folder, target);
  sync(dirname(target));
  await rm(`${folder}.old`, { recursive: true, force: true });
  return manifest;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((e) => !e.isDirectory()).map((e) => join(e.parentPath, e.name));
}

async function record(path: string): Promise<Manifest["files"][string]> {
  const found = lstatSync(path);
  if (found.isSymbolicLink()) return { link: readlinkSync(path) };
  sync(path);
  return {
    sha256: await sha256(path),
    size: found.size,
    mtimeMs: timeOf(path),
    executable: (found.mode & 0o100) !== 0,
  };
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/** A new folder for work in progress, named after its process. */
export async function temporaryFolder(h: Home, name: string): Promise<string> {
  return scratch(h.tmp, `${name}.`);
}

/** Removes what a killed run of the same work left; call it with the lock held. */
export async function removeLeftovers(h: Home, name: string): Promise<void> {
  const left = (await readdir(h.tmp)).filter((entry) => entry.startsWith(`${name}.`));
  await Promise.all(left.map((entry) => rm(join(h.tmp, entry), { recursive: true, force: true })));
}
