import { appendFileSync } from "node:fs";

/** A piece of work of a run. */
export interface Timing {
  /** Kind of work, then what it was done on. @example "smoke worker-minimal linux/arm64" */
  readonly name: string;
  readonly seconds: number;
}

/**
 * Does a piece of work and notes how long it took in the file that KEELSON_TIMINGS names, a line of JSON each; without
 * that variable it only does the work. What fails is noted too.
 * @example await timed("smoke web linux/arm64", () => smokeTest(…))
 */
export async function timed<T>(name: string, work: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  try {
    return await work();
  } finally {
    noteTiming(name, (performance.now() - begin) / 1000);
  }
}

/** Notes a time that was measured elsewhere. */
export function noteTiming(name: string, seconds: number, environment: NodeJS.ProcessEnv = process.env): void {
  const file = environment.KEELSON_TIMINGS;
  if (file === undefined || file === "") return;
  const timing: Timing = { name, seconds: Math.round(seconds * 1000) / 1000 };
  // Processes of one run append at once: a line is written whole.
  appendFileSync(file, `${JSON.stringify(timing)}\n`);
}

/** The lines that {@link timed} wrote. */
export function parseTimings(text: string): Timing[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Timing);
}
