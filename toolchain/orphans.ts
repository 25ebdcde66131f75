import { readFile } from "node:fs/promises";
import { findByEnvironment, identify, signal, waitForEnd } from "./services/process.ts";

/** Variable that marks all that `keelson up` starts, but the services, with the checkout that it works for. */
export const RUN_MARK = "KEELSON_UP";

const ENGINE = "pulumi";
/** Seconds that an engine gets to end in order, so that its plugins can cancel what they do. */
const GRACE = 15;

/**
 * Ends what a killed `keelson up` of this checkout left running: the engine in order, so that it knows how far it came,
 * builds of tools, and whatever does not end by itself then. The caller holds the checkout's lock: what still carries the
 * mark is nobody's.
 * @returns what had to be ended, by name and pid. @example ["pulumi (process 4711)"]
 */
export async function stopOrphans(root: string): Promise<string[]> {
  const orphans = await marked(root);
  if (orphans.length === 0) return [];
  const names = await Promise.all(orphans.map(({ pid }) => readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")));
  const engines = orphans.filter((_, i) => names[i]?.trim() === ENGINE);
  if (engines.length === 0) for (const { pid } of orphans) signal(pid, "SIGTERM");
  else for (const { pid } of engines) signal(pid, "SIGINT");
  await waitForEnd(orphans, GRACE);
  const stubborn = await marked(root);
  for (const { pid } of stubborn) signal(pid, "SIGKILL");
  await waitForEnd(stubborn, 5);
  return orphans.map(({ pid }, i) => `${names[i]?.trim()} (process ${pid})`);
}

async function marked(root: string) {
  const found = await Promise.all((await findByEnvironment(RUN_MARK, root)).map(identify));
  return found.filter((process) => process !== undefined);
}
