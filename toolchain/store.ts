import { type Hash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, copyFile, link, mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Artifact, ArtifactLock } from "../core/artifact.ts";
import { UserError } from "../core/error.ts";
import type { Platform } from "../core/platform.ts";
import { scratch } from "./leftovers.ts";
import { mapBounded } from "./parallel.ts";
import { formatIntegrity, hasher, type Integrity, parseIntegrity } from "./store/integrity.ts";
import { retry } from "./store/retry.ts";
import { machineSources, type Sources } from "./store/sources.ts";

/** Files by hash, kept for a user across checkouts: `<dir>/sha256/<hex>`, `<dir>/sha512/<hex>`. */
export interface Store {
  readonly dir: string;
  /** Where what is missing comes from. */
  readonly sources: Sources;
}

export interface FetchOptions {
  /** When the lock was made, `YYYYMMDDTHHMMSSZ`: archives of old packages are asked for that time. */
  readonly snapshot?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Where the lock has an artifact, for messages. @example () => "images/web/packages.lock.json:12" */
  readonly placeOf?: ((artifact: Artifact) => string) | undefined;
  /** Called after each artifact. */
  readonly progress?: ((done: FetchProgress) => void) | undefined;
}

export interface FetchProgress {
  readonly artifact: Artifact;
  /** False where the store had it. */
  readonly fetched: boolean;
  readonly done: number;
  readonly total: number;
}

/** Downloads at a time; package mirrors see that much from one apt. */
const PARALLEL = 6;
/** npm downloads many in one process, a few processes at a time. */
const PARALLEL_NPM = 160;
/** What every file of the store shows, so that what is staged from it is the same everywhere: 1980-01-01, zip's first day. */
const STORE_MTIME = 315_532_800;

/** A store at `dir`. @example openStore(home().store) */
export function openStore(dir: string, sources: Sources = machineSources()): Store {
  return { dir, sources };
}

/** Where the store keeps an artifact, whether it has it or not. */
export function storePath(artifact: Pick<Artifact, "integrity">, store: Store): string {
  const { algorithm, hex } = parseIntegrity(artifact.integrity);
  return join(store.dir, algorithm, hex);
}

/**
 * The path of an artifact's bytes, fetched if they are not in the store. What is there is hashed again: a damaged file
 * is replaced, never used. No network is touched for what is there.
 * @example await fetchArtifact(lock.artifacts[0], openStore(home().store))
 * @throws UserError where no source has the locked bytes: it names the file, what was expected, and each source's answer.
 */
export async function fetchArtifact(artifact: Artifact, store: Store, options: FetchOptions = {}): Promise<string> {
  return (await fetchOne(artifact, store, options)).path;
}

/** {@link fetchArtifact} for many, a few at a time; the paths come in the order of the artifacts. */
export async function fetchArtifacts(
  artifacts: readonly Artifact[],
  store: Store,
  options: FetchOptions = {},
): Promise<string[]> {
  let done = 0;
  const paths = new Map<Artifact, string>();
  const fetchAll = (some: readonly Artifact[], limit: number) =>
    mapBounded(some, limit, async (artifact) => {
      const { path, fetched } = await fetchOne(artifact, store, options);
      options.progress?.({ artifact, fetched, done: ++done, total: artifacts.length });
      paths.set(artifact, path);
    });
  const isNpm = (a: Artifact) => a.source.startsWith("npm:");
  await fetchAll(
    artifacts.filter((a) => !isNpm(a)),
    PARALLEL,
  );
  await fetchAll(artifacts.filter(isNpm), PARALLEL_NPM);
  return artifacts.map((a) => paths.get(a) as string);
}

/**
 * Puts a lock's artifacts for one platform into a directory that is not there yet, under their names: hard links where
 * the file system allows it (treat them as read-only), modes 0644 and 0755, one modification time for all.
 * @example await stageLock(lock, "linux/arm64", "/…/tmp/packages-linux-arm64", store)
 * @throws UserError for a name that would leave the directory, or names that can't be together in one.
 */
export async function stageLock(
  lock: ArtifactLock,
  platform: Platform,
  dir: string,
  store: Store,
  options: FetchOptions = {},
): Promise<void> {
  const wanted = lock.artifacts.filter((a) => a.platform === undefined || a.platform === platform);
  checkNames(wanted);
  const paths = await fetchArtifacts(wanted, store, { snapshot: lock.snapshot, ...options });
  const half = `${dir}.${randomBytes(6).toString("hex")}.half`;
  try {
    await mkdir(half, { recursive: true, mode: 0o755 });
    for (const [i, artifact] of wanted.entries()) {
      const to = join(half, artifact.file);
      await mkdir(dirname(to), { recursive: true, mode: 0o755 });
      await linkOrCopy(paths[i] as string, to);
    }
    await settleDirectories(half);
    await rename(half, dir);
  } catch (error) {
    await rm(half, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Takes a file into the store, under what its bytes hash to; it is not where it was any more.
 * @example await keepFile("/…/tmp/pull-1/jq.deb", store) // { integrity: "sha256-…", size: 63812 }
 * @param algorithm default: sha256
 * @returns what a lock says of its bytes
 */
export async function keepFile(
  file: string,
  store: Store,
  algorithm: Integrity["algorithm"] = "sha256",
): Promise<Pick<Artifact, "integrity" | "size">> {
  const [hex, { size }] = [await hashFile(file, hasher({ algorithm, hex: "" })), await stat(file)];
  const kept = { integrity: formatIntegrity({ algorithm, hex }), size };
  await takeIn(file, storePath(kept, store));
  return kept;
}

async function takeIn(file: string, path: string): Promise<void> {
  await chmod(file, 0o644);
  await utimes(file, STORE_MTIME, STORE_MTIME);
  await mkdir(dirname(path), { recursive: true });
  await rename(file, path);
}

async function hashFile(file: string, hash: Hash): Promise<string> {
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

async function fetchOne(artifact: Artifact, store: Store, options: FetchOptions) {
  const path = storePath(artifact, store);
  const problem = await verify(path, artifact).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "absent";
    throw error;
  });
  if (problem === undefined) return { path, fetched: false };
  const dir = await scratch(join(store.dir, "tmp"), "fetch");
  try {
    await takeIn(await fromSources(artifact, store, dir, options), path);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return { path, fetched: true };
}

/** Tries each source until one gives the locked bytes. */
async function fromSources(artifact: Artifact, store: Store, dir: string, options: FetchOptions): Promise<string> {
  const { signal } = options;
  const failures: string[] = [];
  for (const [i, source] of (await store.sources(artifact, options.snapshot)).entries()) {
    const own = join(dir, String(i));
    try {
      const file = await retry(
        async () => {
          await rm(own, { recursive: true, force: true });
          await mkdir(own);
          return source.get(own, signal);
        },
        signal === undefined ? {} : { signal },
      );
      const problem = await verify(file, artifact);
      if (problem === undefined) return file;
      failures.push(`${source.name}: ${problem}`);
    } catch (error) {
      if (signal?.aborted) throw error;
      if (error instanceof UserError) throw error;
      failures.push(`${source.name}: ${(error as Error).message}`);
    }
  }
  const place = options.placeOf === undefined ? "" : `${options.placeOf(artifact)}: `;
  throw new UserError(
    `${place}${artifact.file} can't be had as locked (${artifact.integrity}, ${artifact.size} bytes):\n  ${failures.join("\n  ")}`,
    "check the network; where the file was replaced at its source, write the lock anew",
  );
}

/** What is wrong with a file that should hold the artifact; undefined when nothing is. */
async function verify(path: string, artifact: Artifact): Promise<string | undefined> {
  const { size } = await stat(path);
  if (size !== artifact.size) return `expected ${artifact.size} bytes, found ${size}`;
  const expected = parseIntegrity(artifact.integrity);
  const hex = await hashFile(path, hasher(expected));
  if (hex === expected.hex) return undefined;
  return `expected ${artifact.integrity}, found ${formatIntegrity({ ...expected, hex })}`;
}

/** @throws UserError that lists every name that does not belong into one directory. */
export function checkNames(artifacts: readonly Artifact[]): void {
  const names = artifacts.map((a) => a.file);
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const name of names) {
    const parts = name.split("/");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (parts.some((p) => p === "" || p === "." || p === "..") || /[\\\u0000-\u001f]/.test(name))
      problems.push(`${JSON.stringify(name)}: expected a path inside the directory, such as "debs/curl.deb"`);
    else if (seen.has(name)) problems.push(`${name}: two artifacts have this name`);
    seen.add(name);
  }
  for (const name of seen) {
    const parent = ancestors(name).find((a) => seen.has(a));
    if (parent !== undefined) problems.push(`${name}: ${parent} is a file`);
  }
  if (problems.length > 0)
    throw new UserError(`the lock has names that can't be staged:\n  ${problems.join("\n  ")}`, "write the lock anew");
}

function ancestors(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!["EXDEV", "EPERM", "EMLINK", "ENOTSUP"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    await copyFile(from, to);
    await chmod(to, 0o644);
    await utimes(to, STORE_MTIME, STORE_MTIME);
  }
}

async function settleDirectories(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true }))
    if (entry.isDirectory()) await settleDirectories(join(dir, entry.name));
  await chmod(dir, 0o755);
  await utimes(dir, STORE_MTIME, STORE_MTIME);
}
