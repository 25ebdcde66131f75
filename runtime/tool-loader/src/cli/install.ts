import { retryDelay } from "../backoff.ts";
import { readConfig } from "../config.ts";
import { LoaderError, reasonOf, ToolError } from "../error.ts";
import type { JobEvent, Phase } from "../events.ts";
import { acquire } from "../load/acquire.ts";
import { tidyBaked } from "../load/bake.ts";
import { finishLater } from "../load/job.ts";
import type { Workshop } from "../load/workshop.ts";
import { specsNamed } from "../spec/named.ts";
import type { ToolSpec } from "../spec/tool-spec.ts";
import { askInstall, type Streamed } from "./server.ts";
import { openSession, say } from "./session.ts";

export interface InstallOptions {
  readonly all: boolean;
  /** While an image is built: into the baked root, marked so, no volume, no server. */
  readonly baked: boolean;
  /** A command waits for it: fewer words. */
  readonly awaited: boolean;
}

const WORDS: Record<Phase, string> = {
  waiting: "waiting for another that installs it",
  restoring: "restoring from the volume",
  downloading: "downloading",
  installing: "installing",
  verifying: "verifying",
  saving: "keeping it on the volume",
};

/**
 * `tool-loader install`: by the loader that runs in this container, so that a tool is got once however many ask; by
 * itself where none runs.
 * @returns the exit code: 0 when all are there
 */
export async function install(names: readonly string[], options: InstallOptions): Promise<number> {
  if (options.baked) process.env.TOOL_LOADER_ROOT = process.env.TOOL_LOADER_BAKED_ROOT || "/opt/tools";
  const config = readConfig(process.env);
  const wanted = [...names];
  if (!options.all && wanted.length === 0) throw new LoaderError("no tool is named", "name tools, or write --all");
  if (!options.baked && !options.all) {
    const failed: string[] = [];
    const left: string[] = [];
    for (const name of wanted) {
      const result = await askInstall(config.TOOL_LOADER_PORT, name, progressLine());
      if (result === undefined) left.push(name);
      else if (result.status !== "installed") failed.push(name);
    }
    if (left.length === 0) return failed.length === 0 ? 0 : 1;
    return Math.max(await byHand(left, options), failed.length > 0 ? 1 : 0);
  }
  return byHand(wanted, options);
}

async function byHand(names: readonly string[], options: InstallOptions): Promise<number> {
  const shop = await openSession(eventLine(options.awaited), options.baked);
  const wanted = options.all
    ? [...shop.specs.values()].filter((s) => s.priority !== "immediate" && !s.support)
    : specsNamed(shop.specs, names);
  let failed = 0;
  for (const spec of wanted) {
    try {
      await stubbornly(shop, spec);
    } catch (error) {
      if (shop.signal.aborted) await finishLater(shop);
      shop.signal.throwIfAborted();
      failed++;
      say(`${spec.name}: could not be had: ${shop.redact(reasonOf(error))}`);
    }
  }
  await finishLater(shop);
  if (options.baked) await tidyBaked(shop);
  return failed === 0 ? 0 : 1;
}

async function stubbornly(shop: Workshop, spec: ToolSpec): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      return await acquire(shop, spec);
    } catch (error) {
      shop.signal.throwIfAborted();
      const permanent = error instanceof ToolError && error.kind === "permanent";
      if (permanent || attempt >= shop.config.TOOL_LOADER_ATTEMPTS) throw error;
      const wait = retryDelay(attempt, shop.random);
      say(`${spec.name}: ${shop.redact(reasonOf(error))}; again in ${Math.ceil(wait)} s`);
      await shop.clock.sleep(wait, shop.signal);
    }
}

/** One line for each step, and one for each tenth of the way. */
function progressLine(): (state: Streamed) => void {
  let told = "";
  return (state) => {
    const line = lineOf(state.name, state);
    if (line !== told) say(line);
    told = line;
  };
}

function lineOf(name: string, s: Streamed): string {
  if (s.status === "installed") return `${name}: installed (${s.source ?? "?"}, ${s.seconds ?? 0} s)`;
  if (s.status === "failed") return `${name}: could not be had: ${s.lastError ?? "?"}`;
  if (s.status === "pending")
    return s.lastError === undefined ? `${name}: its turn comes` : `${name}: ${s.lastError}; it is tried again`;
  return `${name}: ${WORDS[s.phase as Phase] ?? "starting"}${percent(s.progress)}`;
}

function eventLine(quiet: boolean): (event: JobEvent) => void {
  let told = "";
  return (event) => {
    let line: string | undefined;
    if (event.event === "phase") line = `${event.tool}: ${WORDS[event.phase]}`;
    else if (event.event === "progress") line = `${event.tool}: ${percent(event)}`;
    else if (event.event === "installed") line = `${event.tool}: installed (${event.source}, ${event.seconds} s)`;
    else if (event.event === "unsaved") line = `${event.tool}: not kept on the volume: ${event.message}`;
    else if (event.event === "volume" && event.fault !== null)
      line = `the volume fails (${event.fault}): ${event.message}`;
    else if (event.event === "note" && (event.level === "warn" || !quiet))
      line = `${event.tool === undefined ? "" : `${event.tool}: `}${event.message}`;
    if (line === undefined || line === told) return;
    told = line;
    say(line);
  };
}

function percent(progress: { done: number; total: number | null } | undefined): string {
  if (progress?.total == null || progress.total === 0) return "";
  return ` ${Math.floor((progress.done / progress.total) * 10) * 10} %`;
}
