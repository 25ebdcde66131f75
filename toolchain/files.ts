import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";

/**
 * Writes a file so that readers see the old bytes or the new ones, never a part: a temporary file beside it, flushed,
 * then renamed onto it.
 * @param mode permission bits, whatever the umask is.
 * @example await writeFileAtomic("/home/me/.cache/keelson/services/services.json", text, 0o600)
 */
export async function writeFileAtomic(file: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.chmod(mode);
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** {@link writeFileAtomic}, unless the file has these bytes already. @returns whether it wrote. */
export async function writeFileChanged(file: string, content: string, mode = 0o644): Promise<boolean> {
  if ((await readFile(file, "utf8").catch(() => undefined)) === content) return false;
  await writeFileAtomic(file, content, mode);
  return true;
}
