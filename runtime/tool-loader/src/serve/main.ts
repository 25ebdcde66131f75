import { systemClock } from "../clock.ts";
import { GATEWAY_READY, GRACE, HOST, PORT } from "../defaults.ts";
import { reasonOf } from "../error.ts";
import { jsonLog, LEVELS, type Level } from "../log.ts";
import { redactor } from "../redact.ts";
import type { Ended, Gateway } from "./gateway.ts";
import type { GatewayState, Snapshot } from "./health.ts";
import { createHealthServer } from "./http.ts";
import type { Loading } from "./loading.ts";
import { probe, READY_PROTOCOLS, SECONDS_FOR_A_PROBE, untilReady } from "./probe.ts";

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

/**
 * `tool-loader serve`: health for the platform, tools for the gateway. Nothing in here may end the gateway: mistakes in
 * the settings or specs are told in the log and the health, and the gateway serves on.
 *
 * A gateway that starts has the machine to itself: until it is healthy this is all of the loader that is read, and
 * settings, specs, volume and tools come after. Who asks for more than `/health` gets the rest read at once.
 * @param gateway started already; undefined where something else runs it
 */
export async function serve(gateway: Gateway | undefined): Promise<void> {
  const { env } = process;
  const redact = redactor(env);
  const least = (env.TOOL_LOADER_LOG ?? "info") as Level;
  const write = jsonLog(
    (line) => process.stderr.write(line),
    redact,
    () => new Date(),
  );
  const log: typeof write = (level, message, fields) => {
    if (LEVELS.indexOf(level) >= LEVELS.indexOf(least)) write(level, message, fields);
  };
  let state: GatewayState = "starting";
  let loading: Loading | undefined;
  let reading: Promise<Loading> | undefined;
  const over = new AbortController();

  const { url, mistaken } = readinessOf(env.TOOL_LOADER_GATEWAY_READY);
  const watch = { clock: systemClock, log, signal: over.signal };
  const ready = untilReady(url, (one) => probe(one, SECONDS_FOR_A_PROBE), watch);
  ready.catch(() => {}); // told by the await below
  const rest = () => {
    reading ??= import("./loading.ts").then(async ({ openLoading }) => {
      loading = await openLoading(env, log, ready);
      return loading;
    });
    return reading;
  };

  // A mistake of ours must not end the gateway with us.
  const survive = (error: unknown) => {
    log("error", "an unexpected error", { reason: reasonOf(error), stack: (error as Error | undefined)?.stack });
    loading?.loader.note(`an unexpected error: ${reasonOf(error)}`);
  };
  process.on("uncaughtException", survive);
  process.on("unhandledRejection", survive);

  const server = createHealthServer({
    snapshot: () => loading?.loader.snapshot() ?? early(state),
    source: async () => (await rest()).loader,
  });
  server.on("error", (error) => {
    log("error", "the health server fails", { reason: reasonOf(error) });
    void rest().then(({ loader }) => loader.note(`the health server fails: ${reasonOf(error)}`));
  });
  // A wrong port is told with all else that is wrong; health must answer somewhere all the same.
  const port = Number(env.TOOL_LOADER_PORT || PORT);
  server.listen(Number.isInteger(port) && port >= 0 && port < 65536 ? port : PORT, env.TOOL_LOADER_HOST || HOST, () =>
    log("info", "health is served", { address: server.address() }),
  );

  const grace = Number(env.TOOL_LOADER_GRACE || GRACE);
  const graceSeconds = grace >= 0 ? grace : GRACE;
  const stop = async () => {
    over.abort(new Error("stopped"));
    await loading?.loader.stop(Math.min(5, graceSeconds));
  };
  let ending = false;
  const finish = async (how: Ended) => {
    if (ending) return;
    ending = true;
    state = "stopped";
    loading?.loader.gatewayStopped();
    await stop();
    await loading?.close();
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
      void stop();
      setTimeout(() => gateway.kill("SIGKILL"), graceSeconds * 1000).unref();
    });
  void gateway?.ended.then(finish);

  // With no way to see it healthy, what is wrong is told at once.
  if (mistaken) void rest();
  try {
    await ready;
  } catch (error) {
    if (over.signal.aborted) return;
    throw error;
  }
  state = "running";
  const { loader } = await rest();
  if (!over.signal.aborted) await loader.run();
}

/** What proves that the gateway works, as far as it can be read without the rest of the settings. */
function readinessOf(set: string | undefined): { url: string; mistaken: boolean } {
  if (set === undefined || set === "") return { url: GATEWAY_READY, mistaken: false };
  const known = URL.canParse(set) && READY_PROTOCOLS.some((protocol) => set.startsWith(`${protocol}:`));
  return known ? { url: set, mistaken: false } : { url: GATEWAY_READY, mistaken: true };
}

/** What there is to say before settings and tools are read. */
function early(gateway: GatewayState): Snapshot {
  const unknown = { state: "unknown", message: "" } as const;
  return { gateway, volume: unknown, tools: [], now: 0, deadline: 0, notes: [] };
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
