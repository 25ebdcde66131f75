import { systemClock } from "../clock.ts";
import { readConfig } from "../config.ts";
import { reasonOf } from "../error.ts";
import type { JobEvent, Report } from "../events.ts";
import { redactor } from "../redact.ts";
import { enterCage } from "../run/cgroup.ts";
import { loadSpecs } from "../spec/load.ts";
import { someVolumeHung } from "../volume/directory.ts";
import { type JobKind, runJob } from "./job.ts";
import { openWorkshop } from "./workshop.ts";

/** Seconds between two of a tool's `progress` events. */
const BETWEEN_PROGRESS = 0.25;

/** A job's process: events on stdout, its end when its stdin ends. */
export async function jobMain(kind: JobKind, names: readonly string[]): Promise<void> {
  const { env } = process;
  await enterCage((env.TOOL_LOADER_CAGE ?? "").split(":").filter((p) => p !== ""));
  const over = new AbortController();
  const end = () => over.abort(new Error("the job was told to end"));
  process.stdin.on("end", end).on("error", end).resume();
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  process.stdout.on("error", end);
  const redact = redactor(env);
  const config = readConfig(env);
  const memory = Number(env.TOOL_LOADER_JOB_MEMORY ?? Number.NaN);
  const report = thinned((event) => process.stdout.write(`${redact(JSON.stringify(event))}\n`));
  try {
    const shop = await openWorkshop({
      config,
      specs: await loadSpecs(config),
      env,
      clock: systemClock,
      random: Math.random,
      report,
      redact,
      signal: over.signal,
      memory: Number.isNaN(memory) || config.TOOL_LOADER_NO_LIMITS ? undefined : memory,
    });
    await runJob(shop, kind, names);
  } catch (error) {
    if (!over.signal.aborted) report({ event: "note", level: "warn", message: redact(reasonOf(error)) });
    process.exitCode = over.signal.aborted ? 143 : 1;
  }
  await new Promise((resolve) => process.stdout.write("", resolve));
  // An ordinary exit waits for the threads that a hanging mount holds; a signal doesn't.
  if (someVolumeHung()) process.removeAllListeners("SIGTERM").kill(process.pid, "SIGTERM");
  process.exit();
}

/** Leaves out the progress that comes too fast to be of use. */
export function thinned(report: Report): Report {
  const last = new Map<string, number>();
  return (event: JobEvent) => {
    if (event.event === "progress") {
      const now = systemClock.now();
      if (now - (last.get(event.tool) ?? Number.NEGATIVE_INFINITY) < BETWEEN_PROGRESS && event.done !== event.total)
        return;
      last.set(event.tool, now);
    }
    report(event);
  };
}
