import { randomBytes } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";

/** Writes a lock file as people read it in diffs: JSON, one field a line; whole or not at all. */
export async function writeLockFile(file: string, lock: unknown): Promise<void> {
  const half = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await writeFile(half, `${JSON.stringify(lock, undefined, 2)}\n`);
    await rename(half, file);
  } catch (error) {
    await rm(half, { force: true });
    throw error;
  }
}
