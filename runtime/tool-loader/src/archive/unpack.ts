import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  futimesSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar from "tar-stream";
import { ToolError } from "../error.ts";
import { ArchiveGuard, type GuardLimits } from "./guard.ts";
import { decompressor, type Encoding } from "./zstd.ts";

export interface UnpackOptions extends GuardLimits {
  /** How it is compressed; `none` for a plain tar. */
  readonly encoding: Encoding | "none";
  /** Expected sha256 of the archive's bytes, hex. */
  readonly sha256: string;
  /** Expected length of the archive in bytes, where known. */
  readonly size?: number;
  readonly strip?: number;
  readonly onBytes?: (bytes: number) => void;
}

/** Bytes that tar itself may add to the files: headers, padding, long names. */
const TAR_OVERHEAD_PER_ENTRY = 4096;

/** An archive that must not be used: corrupt, hostile, or not the one expected. */
export class ArchiveError extends ToolError {}

/**
 * Unpacks an archive into a directory that is empty and this process's own. Nothing may be used before it resolves: the
 * checksum is known only at the end. The disk is local, the process a job's own, and its files small and many: calls that
 * return at once take a tenth of the time of calls that go through a thread each.
 * @throws ArchiveError when the archive is refused; whatever it unpacked is then to be removed by the caller.
 */
export async function unpack(
  archive: Readable,
  directory: string,
  options: UnpackOptions,
): Promise<{ bytes: number; entries: number }> {
  const guard = new ArchiveGuard(options, options.strip ?? 0);
  const directories: { path: string; mode: number; mtime: Date }[] = [];
  const hash = createHash("sha256");
  let seen = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      seen += chunk.length;
      if (options.size !== undefined && seen > options.size)
        return done(new ArchiveError("permanent", `the archive is longer than the ${options.size} bytes expected`));
      options.onBytes?.(seen);
      done(null, chunk);
    },
  });
  const most = options.bytes + options.entries * TAR_OVERHEAD_PER_ENTRY;
  let plain = 0;
  const bomb = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      plain += chunk.length;
      if (plain > most) return done(new ArchiveError("permanent", `the archive unpacks to more than ${most} bytes`));
      done(null, chunk);
    },
  });
  const made = new Set<string>();
  const make = (path: string) => {
    if (!made.has(path)) mkdirSync(path, { recursive: true });
    made.add(path);
  };
  const extract = tar.extract();
  let lost: Error | undefined;
  archive.once("error", (error) => {
    lost = error;
  });
  const through = options.encoding === "none" ? [] : [decompressor(options.encoding)];
  const flowing = pipeline([archive, check, ...through, bomb, extract]);
  flowing.catch(() => {}); // told by the await below
  try {
    for await (const entry of extract) {
      const { header } = entry;
      const verdict = guard.check({
        name: header.name,
        type: header.type ?? "file",
        size: header.size ?? 0,
        mode: header.mode ?? 0o644,
        linkname: header.linkname ?? null,
      });
      if (verdict.do === "refuse") throw new ArchiveError("permanent", `the archive is refused: ${verdict.reason}`);
      const path = verdict.do === "skip" ? directory : join(directory, verdict.path);
      if (verdict.do !== "skip") make(verdict.do === "directory" ? path : dirname(path));
      if (verdict.do === "directory")
        directories.push({ path, mode: ((header.mode ?? 0o755) & 0o777) | 0o700, mtime: header.mtime ?? new Date(0) });
      else if (verdict.do === "symlink") {
        symlinkSync(verdict.target, path);
        lutimesSync(path, header.mtime ?? 0, header.mtime ?? 0);
      } else if (verdict.do === "link") linkSync(join(directory, verdict.target), path);
      else if (verdict.do === "file") {
        await write(path, entry as unknown as AsyncIterable<Buffer>, verdict.mode, header.mtime ?? 0);
        continue; // the entry was read
      }
      entry.resume();
    }
    await flowing;
  } catch (error) {
    archive.destroy();
    extract.destroy();
    if (lost !== undefined) throw lost;
    // Where a stream broke, the others were closed with it: that one's reason, not theirs.
    const own = error instanceof ArchiveError || (error as NodeJS.ErrnoException).syscall !== undefined;
    const cause = await flowing.then(
      () => error,
      (flow: unknown) => (own ? error : ((flow as Error) ?? error)),
    );
    throw refusal(cause);
  }
  if (options.size !== undefined && seen !== options.size)
    throw new ArchiveError("permanent", `the archive has ${seen} of the ${options.size} bytes expected`);
  const found = hash.digest("hex");
  if (found !== options.sha256)
    throw new ArchiveError(
      "permanent",
      `the archive's checksum is sha256:${found}, expected was sha256:${options.sha256}`,
    );
  const refused = guard.finish();
  if (refused !== undefined) throw new ArchiveError("permanent", `the archive is refused: ${refused}`);
  // Innermost first, so that a directory's time is not touched by what is set in it.
  for (const { path, mode, mtime } of directories.toReversed()) {
    chmodSync(path, mode);
    utimesSync(path, mtime, mtime);
  }
  return { bytes: guard.bytes, entries: guard.entries };
}

/** Writes a new file; never through or over anything. */
async function write(path: string, content: AsyncIterable<Buffer>, mode: number, mtime: Date | number): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    for await (const chunk of content)
      for (let written = 0; written < chunk.length; ) written += writeSync(file, chunk, written);
    fchmodSync(file, mode);
    futimesSync(file, mtime, mtime);
  } finally {
    closeSync(file);
  }
}

/** What zlib and tar say of broken input is a refusal; what the disk says is not, whatever words a path has. */
function refusal(error: unknown): Error {
  const { code = "", syscall } = error as NodeJS.ErrnoException;
  if (error instanceof ToolError || syscall !== undefined) return error as Error;
  const broken =
    /^(Z_|ZSTD_|ERR__ZLIB|ERR_ZSTD)/.test(code) ||
    /header|tar|end of data|zstd|zlib|frame/i.test(String((error as Error).message));
  if (broken) return new ArchiveError("permanent", "the archive is corrupt", { cause: error });
  return error as Error;
}
