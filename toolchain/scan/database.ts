import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { discard, type HttpTransport } from "../../oci/http.ts";
import { prepareHome, projectRoot } from "../home.ts";
import { scratch } from "../leftovers.ts";
import { follow, openTransport, REDIRECTS } from "../store/http.ts";

/** The part of the database that one ecosystem's advisories are in. */
export interface DatabasePart {
  /** @example "Debian" */
  readonly name: string;
  /** Hex sha256 of its file: what a verdict was reached with. */
  readonly sha256: string;
  /** When its source last said that this is the newest. */
  readonly checked: Date;
  /** Why the source could not be asked now; absent where it was. */
  readonly stale?: string;
}

export interface Database {
  /** What the scanner is told to look into. */
  readonly folder: string;
  readonly parts: readonly DatabasePart[];
  /** Parts that are not here and can't be had, with the reason. */
  readonly missing: ReadonlyMap<string, string>;
}

/** Where osv-scanner looks for `ECOSYSTEM/all.zip`, below the folder that it is told. */
const INSIDE = "osv-scanner";

/**
 * Vulnerability databases in the form in which osv.dev exports them: `PLACE/ECOSYSTEM/all.zip`. From an address each is
 * downloaded where its source has another one than the last time, and kept in keelson's home; a folder is used as it is.
 * @param place address, or a folder relative to the project
 * @example await openDatabase("https://osv-vulnerabilities.storage.googleapis.com", ["Debian", "PyPI"])
 */
export async function openDatabase(place: string, names: readonly string[]): Promise<Database> {
  if (!/^https?:\/\//.test(place)) return ofFolder(resolve(projectRoot(), place), names);
  const { root } = prepareHome();
  const folder = join(root, "vulnerabilities", createHash("sha256").update(place).digest("hex").slice(0, 16));
  const transport = openTransport();
  try {
    const obstacles = new Map<string, string>();
    for (const name of names) {
      const reason = await refresh(transport, place, join(folder, INSIDE), name);
      if (reason !== undefined) obstacles.set(name, reason);
    }
    return await survey(folder, names, obstacles);
  } finally {
    transport.close();
  }
}

async function ofFolder(place: string, names: readonly string[]): Promise<Database> {
  const folder = await scratch(prepareHome().tmp, "vulnerabilities");
  await symlink(place, join(folder, INSIDE));
  return survey(folder, names, new Map());
}

async function survey(
  folder: string,
  names: readonly string[],
  obstacles: ReadonlyMap<string, string>,
): Promise<Database> {
  const parts: DatabasePart[] = [];
  const missing = new Map<string, string>();
  for (const name of names) {
    const file = fileOf(join(folder, INSIDE), name);
    const stale = obstacles.get(name);
    try {
      const { mtime: checked } = await stat(file);
      parts.push({ name, checked, sha256: await sha256(file), ...(stale !== undefined && { stale }) });
    } catch (error) {
      if (!isSystemError(error)) throw error;
      missing.set(name, stale ?? `no ${name}/all.zip there`);
    }
  }
  return { folder, parts, missing };
}

/** @returns why it could not be asked for; undefined where the newest is here. */
async function refresh(
  transport: HttpTransport,
  place: string,
  folder: string,
  name: string,
): Promise<string | undefined> {
  const file = fileOf(folder, name);
  const part = `${file}.${process.pid}.part`;
  try {
    const etag = await readFile(`${file}.etag`, "utf8").catch(() => "");
    const there = await stat(file).catch(() => undefined);
    const headers = etag !== "" && there !== undefined ? { "if-none-match": etag } : {};
    const url = new URL(`${place.replace(/\/$/, "")}/${encodeURIComponent(name)}/all.zip`);
    const answer = await follow(transport, url, REDIRECTS, headers);
    if (answer.status === 304) {
      await discard(answer.body);
      const now = new Date();
      await utimes(file, now, now);
      return undefined;
    }
    if (answer.status !== 200) {
      await discard(answer.body);
      return `${url.host} answers ${answer.status}`;
    }
    await mkdir(join(folder, name), { recursive: true });
    await pipeline(answer.body, createWriteStream(part));
    // In this order a crash leaves an older tag than file at worst, and the file is downloaded once more.
    await rename(part, file);
    await writeFile(`${file}.etag`, answer.headers.etag ?? "");
    return undefined;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return (error as Error).message || String((error as NodeJS.ErrnoException).code);
  } finally {
    await rm(part, { force: true });
  }
}

const fileOf = (folder: string, name: string): string => join(folder, name, "all.zip");

/** Of the network or the file system. */
const isSystemError = (error: unknown): boolean =>
  error instanceof Error && (typeof (error as NodeJS.ErrnoException).code === "string" || "cause" in error);

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
