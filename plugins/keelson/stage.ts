import {
  chmodSync,
  constants,
  copyFileSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { ContextEntry } from "../../core/context.ts";
import { SOURCE_DATE_EPOCH } from "../../core/epoch.ts";
import { UserError } from "../../core/error.ts";
import { contextHash } from "../../core/hash.ts";
import { readTree } from "../../toolchain/context.ts";

/** Entries between two turns of the event loop. */
const SLICE = 500;

/**
 * Copies a context's entries as the builder is to see them: modes 0644 and 0755, no owner's bits, one constant time,
 * links as links. What was copied is read again and must hash as planned, so that a file edited in between can't end
 * up in an image of another hash.
 *
 * The target's last path segment must differ between different contents: the builder keeps what it was sent before
 * under that name, and takes a file of equal size and time for the same file.
 * @example await stageContext("images/web", entries, join(tmp, `web-${hash.slice(0, 12)}`))
 * @throws UserError where a file changed or vanished since it was hashed.
 */
export async function stageContext(source: string, entries: readonly ContextEntry[], target: string): Promise<void> {
  mkdirSync(target, { recursive: true, mode: 0o755 });
  for (const [i, entry] of entries.entries()) {
    copyEntry(source, entry, target);
    if (i % SLICE === SLICE - 1) await turn();
  }
  // Deepest first: writing into a directory sets its time.
  for (const entry of entries.toReversed()) if (entry.kind === "directory") canonical(join(target, entry.path), 0o755);
  canonical(target, 0o755);
  if (contextHash(await readTree(target)) !== contextHash(entries)) throw changed(source);
}

/**
 * Writes a Dockerfile into a folder of its own, with an ignore file that takes nothing away: what the context's ignore
 * file takes is gone already, and reading it again under other rules must not take more.
 * @returns the Dockerfile's path.
 */
export function stageDockerfile(text: string, target: string): string {
  mkdirSync(target, { recursive: true, mode: 0o755 });
  const file = join(target, "Dockerfile");
  writeFileSync(file, text);
  writeFileSync(`${file}.dockerignore`, "# The context is staged: nothing is left to ignore.\n");
  return file;
}

/** Gives a file or directory the mode and time that every staged one has. */
export function canonical(path: string, mode: 0o644 | 0o755): void {
  chmodSync(path, mode);
  utimesSync(path, SOURCE_DATE_EPOCH, SOURCE_DATE_EPOCH);
}

function copyEntry(source: string, entry: ContextEntry, target: string): void {
  const to = join(target, entry.path);
  if (entry.kind === "directory") {
    mkdirSync(to, { recursive: true });
  } else if (entry.kind === "symlink") {
    symlinkSync(entry.target, to);
    lutimesSync(to, SOURCE_DATE_EPOCH, SOURCE_DATE_EPOCH);
  } else {
    try {
      copyFileSync(join(source, entry.path), to, constants.COPYFILE_FICLONE);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") throw changed(source);
      throw error;
    }
    canonical(to, entry.executable ? 0o755 : 0o644);
  }
}

function changed(source: string): UserError {
  return new UserError(`files below ${source} changed while they were read`, "run it again once they are at rest");
}
