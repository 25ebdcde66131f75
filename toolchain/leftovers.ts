import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * A new folder below `parent` that names the process it belongs to, after those of dead processes are removed.
 * The caller removes it; if the process is killed before, the next call with the same name does.
 * @example await scratch(home().tmp, "base") // "/home/ada/.cache/keelson/tmp/base-4711-0a1b2c3d"
 */
export async function scratch(parent: string, name: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  for (const entry of await readdir(parent)) {
    const pid = entry.startsWith(`${name}-`) ? /^(\d+)-[0-9a-f]+$/.exec(entry.slice(name.length + 1))?.[1] : undefined;
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(parent, entry), { recursive: true, force: true });
  }
  const dir = join(parent, `${name}-${process.pid}-${randomBytes(4).toString("hex")}`);
  await mkdir(dir);
  return dir;
}

/** Whether a process of this number runs, of whichever user. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
