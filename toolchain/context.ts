import { createHash, hash as digest } from "node:crypto";
import { closeSync, constants, type Dirent, fstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { type ContextEntry, sortEntries } from "../core/context.ts";
import { UserError } from "../core/error.ts";
import { type IgnoreMatcher, IgnorePatternError, type IgnoreResult, ignoreMatcher } from "../core/ignore.ts";

/**
 * Everything of a build context that the builder would receive, sorted by path, each file with the sha256 of its bytes.
 *
 * The ignore file is the builder's choice: `<dockerfile>.dockerignore` where there is one, else `.dockerignore` in the
 * context's root. A named context has no Dockerfile: leave it out.
 * @example await readContext("images/family-web", "images/family-web/Dockerfile")
 * @throws UserError that names every socket, pipe, device, unreadable file and name that is not UTF-8, unless ignored.
 */
export async function readContext(dir: string, dockerfile?: string): Promise<ContextEntry[]> {
  return readEntries(dir, await readIgnore(dir, dockerfile));
}

/** What no build of somebody's sources reads: git's folder, secrets, and what cargo, npm, Next.js, Prisma and Python made there. */
const NOT_SOURCE = [
  ".git",
  "target",
  "**/node_modules",
  ".next",
  "generated/prisma",
  "next-env.d.ts",
  "**/*.tsbuildinfo",
  ".env",
  ".env*.local",
  ".venv",
  "**/__pycache__",
];

/** What a Python service keeps beside its code (seed 004, section C): gigabytes, which a volume brings. Modules of that name are code. */
const PYTHON_DATA = ["models", "!models/**/*.py", "data", "!data/**/*.py"];

/**
 * Somebody's sources as a build receives them: as {@link readContext} gives them under their own .dockerignore, without
 * what no build reads, whatever that file says. Of a Python application (one with a requirements.lock) the folders `models` and
 * `data` are left out as well, but for modules; its .dockerignore brings them back with `!models`.
 */
export async function readSource(dir: string): Promise<ContextEntry[]> {
  const isPython = (await readIfThere(join(dir, "requirements.lock"))) !== undefined;
  const before = isPython ? lines(PYTHON_DATA) : "";
  return readEntries(dir, await readIgnore(dir, undefined, { before, after: `\n${lines(NOT_SOURCE)}` }));
}

function lines(patterns: readonly string[]): string {
  return patterns.map((pattern) => `${pattern}\n`).join("");
}

/** Everything below a directory, as {@link readContext} gives it where no ignore file is. */
export async function readTree(dir: string): Promise<ContextEntry[]> {
  return readEntries(dir, ignoreMatcher(""));
}

async function readEntries(dir: string, ignore: IgnoreMatcher): Promise<ContextEntry[]> {
  const walk = new ContextWalk(dir, ignore);
  const entries = await walk.run();
  if (walk.problems.length > 0) throw contextError(dir, walk.problems);
  return sortEntries(entries);
}

async function readIgnore(
  dir: string,
  dockerfile: string | undefined,
  { before, after } = { before: "", after: "" },
): Promise<IgnoreMatcher> {
  const own = dockerfile === undefined ? undefined : `${dockerfile}.dockerignore`;
  const shared = join(dir, ".dockerignore");
  for (const file of own === undefined ? [shared] : [own, shared]) {
    const text = await readIfThere(file);
    if (text === undefined) continue;
    try {
      return ignoreMatcher(`${before}${text}${after}`);
    } catch (error) {
      if (!(error instanceof IgnorePatternError)) throw error;
      throw new UserError(`${file}: ${error.message}`, "write it as Docker documents .dockerignore patterns");
    }
  }
  return ignoreMatcher(`${before}${after}`);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new UserError(`cannot read ${file}: ${code}`, "make it a readable file, or remove it");
  }
}

/** Longest stretch of work between two turns of the event loop, milliseconds: short enough for Ctrl-C to feel prompt. */
const SLICE = 50;
const BUFFER = 1 << 20;

/** Synchronous file calls: for 100,000 small files node's asynchronous ones take several times as long. */
class ContextWalk {
  readonly problems: string[] = [];
  private readonly root: string;
  private readonly ignore: IgnoreMatcher;
  private readonly entries: ContextEntry[] = [];
  private readonly buffer = Buffer.allocUnsafe(BUFFER);
  private sliceStart = performance.now();

  constructor(root: string, ignore: IgnoreMatcher) {
    this.root = root;
    this.ignore = ignore;
  }

  async run(): Promise<ContextEntry[]> {
    await this.directory("", undefined);
    return this.entries;
  }

  /** True when something of it is part of the context. */
  private async directory(path: string, result: IgnoreResult | undefined): Promise<boolean> {
    let kept = false;
    for (const item of this.list(path, result?.ignored === true)) {
      const child = path === "" ? item.name : `${path}/${item.name}`;
      if (await this.item(child, item, this.ignore.match(child, result))) kept = true;
      if (performance.now() - this.sliceStart > SLICE) await this.yieldTurn();
    }
    return kept;
  }

  private async item(path: string, item: Dirent, result: IgnoreResult): Promise<boolean> {
    if (item.isDirectory()) {
      if (result.ignored && !this.ignore.mayBringBack(path)) return false;
      const kept = (await this.directory(path, result)) || !result.ignored;
      if (kept) this.entries.push({ kind: "directory", path });
      return kept;
    }
    if (result.ignored) return false;
    if (path.includes("\uFFFD") && !this.isUtf8(path)) {
      this.problems.push(`${path}: its name is not valid UTF-8`);
      return false;
    }
    const entry = this.leaf(path, item);
    if (entry !== undefined) this.entries.push(entry);
    return true;
  }

  private list(path: string, ignored: boolean): Dirent[] {
    try {
      return readdirSync(join(this.root, path), { withFileTypes: true });
    } catch (error) {
      const code = errorCode(error);
      if (path === "" && (code === "ENOENT" || code === "ENOTDIR"))
        throw new UserError(`the build context ${this.root} is not a directory`, "create it, or correct its path");
      if (!(ignored && code === "EACCES")) this.problems.push(`${path || "."}: can't be listed (${code})`);
      return [];
    }
  }

  private leaf(path: string, item: Dirent): ContextEntry | undefined {
    try {
      if (item.isSymbolicLink()) return { kind: "symlink", path, target: readlinkSync(join(this.root, path)) };
      if (item.isFile()) return this.file(path);
      this.problems.push(`${path}: is a ${specialKind(item)}`);
    } catch (error) {
      this.problems.push(`${path}: can't be read (${errorCode(error)})`);
    }
    return undefined;
  }

  private file(path: string): ContextEntry {
    const fd = openSync(join(this.root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(fd);
      const { size, sha256 } = hashOpenFile(fd, stat.size, this.buffer);
      return { kind: "file", path, executable: (stat.mode & 0o111) !== 0, size, sha256 };
    } finally {
      closeSync(fd);
    }
  }

  private isUtf8(path: string): boolean {
    const slash = path.lastIndexOf("/");
    const names = readdirSync(join(this.root, path.slice(0, Math.max(slash, 0))), { encoding: "buffer" });
    return names.some((name) => name.equals(Buffer.from(path.slice(slash + 1), "utf8")));
  }

  private async yieldTurn(): Promise<void> {
    await turn();
    this.sliceStart = performance.now();
  }
}

function hashOpenFile(fd: number, expected: number, buffer: Buffer): { size: number; sha256: string } {
  let length = readSync(fd, buffer, 0, buffer.length, null);
  if (length === expected && length < buffer.length)
    return { size: length, sha256: digest("sha256", buffer.subarray(0, length), "hex") };
  const hash = createHash("sha256");
  let size = 0;
  while (length > 0) {
    hash.update(buffer.subarray(0, length));
    size += length;
    length = readSync(fd, buffer, 0, buffer.length, null);
  }
  return { size, sha256: hash.digest("hex") };
}

function specialKind(item: Dirent): string {
  if (item.isSocket()) return "socket";
  if (item.isFIFO()) return "named pipe";
  return "device";
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

/** How many problems a message spells out. */
const SHOWN = 10;

function contextError(dir: string, problems: readonly string[]): UserError {
  const lines = problems.slice(0, SHOWN).map((problem) => `\n  ${problem}`);
  const more = problems.length > SHOWN ? `\n  and ${problems.length - SHOWN} more` : "";
  return new UserError(
    `the build context ${dir} holds what no builder can take:${lines.join("")}${more}`,
    "remove them, make them readable, or name them in .dockerignore",
  );
}
