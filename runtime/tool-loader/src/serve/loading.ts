import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { systemClock } from "../clock.ts";
import { type Config, readConfig, strangeSettings } from "../config.ts";
import { fill } from "../load/fill.ts";
import { fingerprint } from "../local/fingerprint.ts";
import { layout } from "../local/layout.ts";
import { MARKER } from "../local/marker.ts";
import { openRoot } from "../local/root.ts";
import type { Log } from "../log.ts";
import { distribution, platformOf } from "../platform.ts";
import { type Cage, makeCage } from "../run/cgroup.ts";
import { selfCommand } from "../self.ts";
import { loadSpecs } from "../spec/load.ts";
import { specNamed } from "../spec/named.ts";
import { directoryOf, type ToolSpec } from "../spec/tool-spec.ts";
import { startJob } from "./jobs.ts";
import { Loader } from "./loader.ts";
import { probe, SECONDS_FOR_A_PROBE } from "./probe.ts";
import { shims, writeShims } from "./shims.ts";

/** Processes that all installers together may have. */
const MAX_PROCESSES = 1024;

/** All of `serve` but its health and its gateway. */
export interface Loading {
  readonly loader: Loader;
  /** After the loader has stopped. */
  close(): Promise<void>;
}

/**
 * Reads settings and specs, and makes the loader; mistakes in them are told in the log and the health.
 * @param ready when the gateway was first healthy, in seconds of the clock
 */
export async function openLoading(env: NodeJS.ProcessEnv, log: Log, ready: Promise<number>): Promise<Loading> {
  const notes: string[] = [];
  const mistaken =
    <T>(fallback: T) =>
    (error: unknown) => {
      for (const line of String((error as Error).message).split("\n")) notes.push(line.trim());
      log("error", "the loader's configuration is wrong; no tools are loaded", { reason: (error as Error).message });
      return fallback;
    };
  let config: Config;
  try {
    config = readConfig(env);
  } catch (error) {
    mistaken(undefined)(error);
    config = readConfig({});
  }
  const specs = notes.length > 0 ? [] : await loadSpecs(config).catch(mistaken<ToolSpec[]>([]));
  for (const strange of strangeSettings(env)) {
    log("warn", strange);
    notes.push(strange);
  }
  let cage: Cage | undefined;

  const loader: Loader = new Loader({
    config,
    specs,
    clock: systemClock,
    ready,
    random: Math.random,
    log,
    notes,
    probe: (url) => probe(url, SECONDS_FOR_A_PROBE),
    freeMemory: () => process.availableMemory(),
    residentBytes: () => process.memoryUsage.rss(),
    startJob: (job) => startJob({ ...job, self: selfCommand(), env: jobEnvironment(env, cage?.join[job.urgency]) }),
    prepare: async () => {
      const at = await openRoot(config, (message) => {
        log("warn", message);
        loader.note(message);
      });
      if (!config.TOOL_LOADER_NO_LIMITS) {
        const memory = Math.max(256 * 2 ** 20, process.availableMemory() - config.TOOL_LOADER_GATEWAY_MEMORY);
        cage = await makeCage({ memory, processes: MAX_PROCESSES });
        log(
          "info",
          cage === undefined
            ? "no control group for installers: niceness alone"
            : `installers are in a control group (v${cage.version})`,
          { memory },
        );
      }
      const byName = new Map(specs.map((s) => [s.name, s]));
      const place = (name: string) => at.visible(specNamed(byName, name));
      const environment = (spec: ToolSpec) =>
        Object.fromEntries(
          Object.entries(spec.env).map(([name, value]) => [name, fill(value, spec, at.visible(spec), "", place)]),
        );
      const [platform, system] = [platformOf(process.platform, process.arch), await distribution()];
      const layouts = [at, layout(config.TOOL_LOADER_BAKED_ROOT)];
      const trees = (spec: ToolSpec) =>
        layouts.map((one) => basename(one.tree(spec, fingerprint(spec, platform, one.root, system))));
      await writeShims(at.bin, shims(specs, at, selfCommand(), environment, trees));
      const found: string[] = [];
      for (const spec of specs) if (await mayBeThere(spec, at.visible(spec), config)) found.push(spec.name);
      return found;
    },
  });
  return { loader, close: async () => cage?.remove() };
}

/** What a job's process gets: the loader's environment, and where its limits are. */
function jobEnvironment(env: NodeJS.ProcessEnv, join: readonly string[] | undefined): NodeJS.ProcessEnv {
  const extra =
    join === undefined ? { TOOL_LOADER_JOB_MEMORY: String(Math.max(512 * 2 ** 20, process.availableMemory())) } : {};
  return { ...env, ...extra, ...(join === undefined ? {} : { TOOL_LOADER_CAGE: join.join(":") }) };
}

async function mayBeThere(spec: ToolSpec, visible: string, config: Config): Promise<boolean> {
  if (spec.priority === "immediate") return true;
  const baked = layout(config.TOOL_LOADER_BAKED_ROOT);
  for (const path of [join(visible, MARKER), join(baked.root, directoryOf(spec), MARKER)])
    if ((await stat(path).catch(() => undefined)) !== undefined) return true;
  return false;
}
