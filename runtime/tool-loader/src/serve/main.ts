import { stat } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../clock.ts";
import { type Config, readConfig } from "../config.ts";
import { reasonOf } from "../error.ts";
import { fill } from "../load/fill.ts";
import { layout } from "../local/layout.ts";
import { MARKER } from "../local/marker.ts";
import { openRoot } from "../local/root.ts";
import { jsonLog, type Level } from "../log.ts";
import { redactor } from "../redact.ts";
import { type Cage, makeCage } from "../run/cgroup.ts";
import { selfCommand } from "../self.ts";
import { loadSpecs } from "../spec/load.ts";
import { specNamed } from "../spec/named.ts";
import { directoryOf, type ToolSpec } from "../spec/tool-spec.ts";
import type { Ended, Gateway } from "./gateway.ts";
import { createHealthServer } from "./http.ts";
import { startJob } from "./jobs.ts";
import { Loader } from "./loader.ts";
import { probe } from "./probe.ts";
import { shims, writeShims } from "./shims.ts";

const FORWARDED: readonly NodeJS.Signals[] = [
  "SIGTERM",
  "SIGINT",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
];
const ENDING: ReadonlySet<NodeJS.Signals> = new Set(["SIGTERM", "SIGINT", "SIGQUIT"]);
const SECONDS_FOR_A_PROBE = 5;
/** Processes that all installers together may have. */
const MAX_PROCESSES = 1024;

/**
 * `tool-loader serve`: health for the platform, tools for the gateway. Nothing in here may end the gateway: mistakes in
 * the settings or specs are told in the log and the health, and the gateway serves on.
 * @param gateway started already; undefined where something else runs it
 */
export async function serve(gateway: Gateway | undefined): Promise<void> {
  const { env } = process;
  const redact = redactor(env);
  const least = (env.TOOL_LOADER_LOG ?? "info") as Level;
  const levels: readonly Level[] = ["debug", "info", "warn", "error"];
  const write = jsonLog(
    (line) => process.stderr.write(line),
    redact,
    () => new Date(),
  );
  const log: typeof write = (level, message, fields) => {
    if (levels.indexOf(level) >= levels.indexOf(least)) write(level, message, fields);
  };
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
    // The port alone is still honoured: health must answer where it is looked for.
    const port = Number(env.TOOL_LOADER_PORT);
    config = readConfig(Number.isInteger(port) && port > 0 && port < 65536 ? { TOOL_LOADER_PORT: String(port) } : {});
  }
  const specs = notes.length > 0 ? [] : await loadSpecs(config).catch(mistaken<ToolSpec[]>([]));
  let cage: Cage | undefined;

  const loader: Loader = new Loader({
    config,
    specs,
    clock: systemClock,
    random: Math.random,
    log,
    notes,
    probe: (url) => probe(url, SECONDS_FOR_A_PROBE),
    freeMemory: () => process.availableMemory(),
    residentBytes: () => process.memoryUsage.rss(),
    startJob: (job) => startJob({ ...job, self: selfCommand(), env: jobEnvironment(env, cage) }),
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
      await writeShims(at.bin, shims(specs, at, selfCommand(), environment));
      const found: string[] = [];
      for (const spec of specs) if (await mayBeThere(spec, at.visible(spec), config)) found.push(spec.name);
      return found;
    },
  });

  const server = createHealthServer(loader);
  server.on("error", (error) => {
    log("error", "the health server fails", { reason: reasonOf(error) });
    loader.note(`the health server fails: ${reasonOf(error)}`);
  });
  server.listen(config.TOOL_LOADER_PORT, config.TOOL_LOADER_HOST, () =>
    log("info", "health is served", { address: server.address() }),
  );

  // A mistake of ours must not end the gateway with us.
  const survive = (error: unknown) => {
    log("error", "an unexpected error", { reason: reasonOf(error), stack: (error as Error | undefined)?.stack });
    loader.note(`an unexpected error: ${reasonOf(error)}`);
  };
  process.on("uncaughtException", survive);
  process.on("unhandledRejection", survive);

  let ending = false;
  const finish = async (how: Ended) => {
    if (ending) return;
    ending = true;
    loader.gatewayStopped();
    await loader.stop(Math.min(5, config.TOOL_LOADER_GRACE));
    await cage?.remove();
    server.close();
    server.closeAllConnections();
    process.exit(how.signal === null ? (how.code ?? 1) : 128 + (SIGNALS[how.signal] ?? 0));
  };
  for (const signal of FORWARDED)
    process.on(signal, () => {
      if (gateway === undefined) return ENDING.has(signal) ? void finish({ code: 0, signal: null }) : undefined;
      gateway.kill(signal);
      if (!ENDING.has(signal)) return;
      // The gateway's time to end is its own; tools are loaded no more.
      void loader.stop(Math.min(5, config.TOOL_LOADER_GRACE));
      setTimeout(() => gateway.kill("SIGKILL"), config.TOOL_LOADER_GRACE * 1000).unref();
    });
  void gateway?.ended.then(finish);
  await loader.run();
}

const SIGNALS: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

/** What a job's process gets: the loader's environment, and where its limits are. */
function jobEnvironment(env: NodeJS.ProcessEnv, cage: Cage | undefined): NodeJS.ProcessEnv {
  const extra =
    cage === undefined ? { TOOL_LOADER_JOB_MEMORY: String(Math.max(512 * 2 ** 20, process.availableMemory())) } : {};
  return { ...env, ...extra, ...(cage === undefined ? {} : { TOOL_LOADER_CAGE: cage.join.join(":") }) };
}

async function mayBeThere(spec: ToolSpec, visible: string, config: Config): Promise<boolean> {
  if (spec.priority === "immediate") return true;
  const baked = layout(config.TOOL_LOADER_BAKED_ROOT);
  for (const path of [join(visible, MARKER), join(baked.root, directoryOf(spec), MARKER)])
    if ((await stat(path).catch(() => undefined)) !== undefined) return true;
  return false;
}
