import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a directory and those above it. Node's own `recursive` says ENOENT where one can't be made for a reason that it doesn't know,
 * such as a filesystem that is read-only: that reason is thrown here.
 * @param mode of what it makes, less the process' umask
 * @example await makeDirectory("/mnt/v1/probe") // Error: EROFS: read-only file system, mkdir '/mnt/v1'
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode });
  } catch (error) {
    const above = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || above === path) throw error;
    await makeDirectory(above, mode);
    await mkdir(path, { mode }).catch((again: NodeJS.ErrnoException) => {
      if (again.code !== "EEXIST") throw again;
    });
  }
}
