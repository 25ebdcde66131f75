import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

/** Replaces a file as a whole: whoever reads sees the old or the new one, also after a power cut. */
export async function writeDurably(path: string, content: string, mode = 0o644): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Above so many files, writing back the whole filesystem once is faster than waiting for each. */
const MANY_FILES = 64;

/** Puts a tree on disk: file by file, or for a large one by syncfs, where coreutils' sync has it. */
export async function syncTree(path: string): Promise<void> {
  const files: string[] = [];
  const directories: string[] = [];
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) files.push(join(entry.parentPath, entry.name));
    else if (entry.isDirectory()) directories.push(join(entry.parentPath, entry.name));
  }
  if (files.length > MANY_FILES && (await syncFilesystem(path))) return;
  for (const name of files) {
    const file = await open(name, "r");
    await file.sync().finally(() => file.close());
  }
  for (const name of [...directories, path]) await syncDirectory(name);
}

function syncFilesystem(path: string): Promise<boolean> {
  return promisify(execFile)("sync", ["-f", path], { timeout: 120_000 }).then(
    () => true,
    () => false,
  );
}
