import { readFile } from "node:fs/promises";
import { findByEnvironment, identify, signal, waitForEnd } from "./services/process.ts";

/** Marks an engine that `keelson up` runs, and all that the engine starts, with the checkout that it works for. */
export const ENGINE_MARK = "KEELSON_UP";

/** Seconds that an engine gets to end in order, so that its plugins can cancel what they do. */
const GRACE = 15;

/**
 * Ends the engine that a killed `keelson up` of this checkout left running, in order where it can, and all that it had
 * started. The caller holds the checkout's lock: whatever still carries the mark is nobody's.
 * @returns the pids of the engines.
 */
export async function stopOrphans(root: string): Promise<number[]> {
  const orphans = await marked(root);
  if (orphans.length === 0) return [];
  const names = await Promise.all(orphans.map(({ pid }) => readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")));
  const engines = orphans.filter((_, i) => names[i]?.trim() === "pulumi");
  for (const { pid } of engines) signal(pid, "SIGINT");
  await waitForEnd(orphans, engines.length === 0 ? 5 : GRACE);
  const stubborn = await marked(root);
  for (const { pid } of stubborn) signal(pid, "SIGKILL");
  await waitForEnd(stubborn, 5);
  return engines.map(({ pid }) => pid);
}

async function marked(root: string) {
  const found = await Promise.all((await findByEnvironment(ENGINE_MARK, root)).map(identify));
  return found.filter((process) => process !== undefined);
}
