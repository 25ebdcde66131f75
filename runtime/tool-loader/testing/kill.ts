import { readdir, readFile } from "node:fs/promises";

/** Ends a process and all that was started for a tools' root, as a container's end does: at once, without a word. */
export async function killTree(pid: number, root: string): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const pids = [pid];
    for (const entry of await readdir("/proc"))
      if (/^\d+$/.test(entry) && Number(entry) !== process.pid) {
        const environ = await readFile(`/proc/${entry}/environ`, "latin1").catch(() => "");
        if (environ.includes(`${root}/`) || environ.includes(`TOOL_LOADER_ROOT=${root}\0`)) pids.push(Number(entry));
      }
    for (const one of pids)
      try {
        process.kill(one, "SIGKILL");
      } catch {
        // gone already
      }
    if (pids.length === 1 && round > 0) return;
  }
}
