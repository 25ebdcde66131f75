import { systemClock } from "../clock.ts";
import { readConfig } from "../config.ts";
import type { JobEvent } from "../events.ts";
import { openWorkshop, type Workshop } from "../load/workshop.ts";
import { redactor } from "../redact.ts";
import { loadSpecs } from "../spec/load.ts";

/** A workshop for a command that someone typed: events become lines on stderr. */
export async function openSession(onEvent: (event: JobEvent) => void, baking = false): Promise<Workshop> {
  const over = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => over.abort(new Error(`ended by ${signal}`)));
  const config = readConfig(process.env);
  return openWorkshop({
    config,
    specs: await loadSpecs(config),
    env: process.env,
    clock: systemClock,
    random: Math.random,
    report: onEvent,
    redact: redactor(process.env),
    signal: over.signal,
    baking,
  });
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
