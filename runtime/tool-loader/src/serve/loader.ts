import { availableParallelism } from "node:os";
import { retryDelay } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { reasonOf } from "../error.ts";
import type { JobEvent } from "../events.ts";
import type { JobKind } from "../load/job.ts";
import type { Log } from "../log.ts";
import { capacity, fits } from "../run/capacity.ts";
import type { Urgency } from "../run/gentle.ts";
import type { ToolSpec } from "../spec/tool-spec.ts";
import { allLoaded, type GatewayState, type Snapshot, type VolumeState } from "./health.ts";
import type { Source } from "./http.ts";
import type { Job, JobOptions } from "./jobs.ts";
import { metrics } from "./metrics.ts";
import { connectionOf } from "./probe.ts";
import { due, initialState, next, type Rules, type ToolEvent, type ToolState } from "./state.ts";

/** Seconds between attempts at a tool that has failed for something that may pass. */
const SLOW_RETRY = 600;
/** Bytes that a job takes which only unpacks or packs. */
const UNPACKING = 128 * 2 ** 20;
/** The jobs after which a tool is there, or isn't. */
const GETTING: ReadonlySet<JobKind> = new Set(["acquire", "restore"]);
/** A volume in one of these states gives nothing back; one that is read-only or full still does. */
const UNUSABLE: ReadonlySet<string> = new Set(["missing", "slow", "error"]);
/** Failed looks at a running gateway until it counts as unresponsive. */
const PATIENCE = 3;

export interface LoaderOptions {
  readonly config: Config;
  readonly specs: readonly ToolSpec[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Mistakes that keep the loader from loading, and what it did about them. */
  readonly notes: readonly string[];
  readonly startJob: (
    options: Pick<JobOptions, "kind" | "tools" | "memory" | "urgency" | "withoutVolume" | "onEvent">,
  ) => Job;
  readonly probe: (url: string) => Promise<void>;
  /** When the gateway was first healthy, in seconds of the clock. */
  readonly ready: Promise<number>;
  /** Called once, when the gateway is healthy and before the first job. @returns tools that are there already, to be looked at together */
  readonly prepare: () => Promise<readonly string[]>;
  readonly freeMemory: () => number;
  readonly residentBytes: () => number;
}

/**
 * Watches the gateway, and once it works gets the tools, one job at a time or several as CPU and memory allow. It does
 * no work of its own: that is the jobs', in processes of theirs.
 */
export class Loader implements Source {
  readonly #o: LoaderOptions;
  readonly #tools: Map<string, ToolState>;
  readonly #jobs = new Set<Job>();
  readonly #listeners = new Set<(event: string, data: unknown) => void>();
  readonly #attempts = new Map<string, { ok: number; failed: number }>();
  readonly #over = new AbortController();
  readonly #notes: string[];
  #gateway: GatewayState = "starting";
  #volume: VolumeState;
  #volumeFaults = 0;
  #volumeRetry: number;
  #readyAt: number | undefined;
  #loadedAt: number | undefined;
  /** Ends the wait for the next tool that comes due. */
  #alarm = new AbortController();
  #volumeLookedAt = false;
  #begun = false;
  #pruned = false;

  constructor(options: LoaderOptions) {
    this.#o = options;
    const prefetch = new Set(options.config.TOOL_LOADER_PREFETCH);
    this.#tools = new Map(options.specs.map((s) => [s.name, initialState(s, prefetch)]));
    this.#notes = [...options.notes];
    for (const name of prefetch)
      if (!this.#tools.has(name)) this.#notes.push(`TOOL_LOADER_PREFETCH: there is no tool "${name}"`);
    const none = options.config.TOOL_LOADER_VOLUME === "";
    this.#volume = none
      ? { state: "none", message: "no volume: tools don't survive a restart" }
      : { state: "unknown", message: "" };
    this.#volumeRetry = options.config.TOOL_LOADER_VOLUME_RETRY;
  }

  /** Watches and loads until `stop`. */
  async run(): Promise<void> {
    const { config, clock, log } = this.#o;
    const over = this.#over.signal;
    try {
      this.#readyAt = await this.#o.ready;
      log("info", "the gateway is healthy");
      this.#setGateway("running");
      await this.#begin();
      for (let misses = 0; ; ) {
        await clock.sleep(config.TOOL_LOADER_PROBE_INTERVAL, over);
        const url = config.TOOL_LOADER_GATEWAY_LIVE ?? connectionOf(config.TOOL_LOADER_GATEWAY_READY);
        const error = await this.#o.probe(url).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        misses = error === undefined ? 0 : misses + 1;
        if (misses === 0) this.#setGateway("running");
        else if (misses === PATIENCE) {
          log("error", "the gateway answers no more", { reason: reasonOf(error) });
          this.#setGateway("unresponsive");
        }
      }
    } catch (error) {
      if (!over.aborted) throw error;
    }
  }

  /** Ends the jobs; their processes have `seconds` to clean up. */
  async stop(seconds: number): Promise<void> {
    this.#over.abort(new Error("stopped"));
    await Promise.all([...this.#jobs].map((job) => job.stop(seconds)));
  }

  gatewayStopped(): void {
    this.#setGateway("stopped");
  }

  /** Something that people should see in the health. */
  note(message: string): void {
    if (!this.#notes.includes(message)) this.#notes.push(message);
  }

  snapshot(): Snapshot {
    return {
      gateway: this.#gateway,
      volume: this.#volume,
      tools: [...this.#tools.values()],
      now: this.#o.clock.now(),
      ...(this.#readyAt === undefined ? {} : { readyAt: this.#readyAt }),
      ...(this.#loadedAt === undefined ? {} : { loadedAt: this.#loadedAt }),
      deadline: this.#o.config.TOOL_LOADER_DEADLINE,
      notes: this.#notes,
    };
  }

  metrics(): string {
    return metrics(
      this.snapshot(),
      { attempts: this.#attempts, volumeFaults: this.#volumeFaults },
      this.#o.residentBytes(),
    );
  }

  want(tool: string): boolean {
    if (!this.#tools.has(tool)) return false;
    this.#apply({ event: "wanted", tool, awaited: true });
    this.#tick();
    return true;
  }

  subscribe(listener: (event: string, data: unknown) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #begin(): Promise<void> {
    let there: readonly string[] = [];
    try {
      there = await this.#o.prepare();
    } catch (error) {
      this.note(reasonOf(error));
      this.#o.log("error", "the loader can't load anything", { reason: reasonOf(error) });
      return;
    }
    this.#begun = true;
    // What is there, or on the volume, comes in one process: on a restart that is everything.
    const hasVolume = this.#volume.state !== "none";
    const first = [...this.#tools.values()].filter((t) => there.includes(t.name) || (hasVolume && t.wanted));
    if (first.length > 0)
      this.#launch(
        "restore",
        first.map((t) => t.name),
        "background",
      );
    if (this.#volume.state === "unknown") this.#launch("probe", [], "background");
    this.#tick();
  }

  /** Starts whatever is due and fits; sets the alarm for what comes due later. */
  #tick(): void {
    this.#alarm.abort();
    if (!this.#begun || this.#gateway !== "running" || this.#over.signal.aborted) return;
    const now = this.#o.clock.now();
    const busy = new Set([...this.#jobs].flatMap((j) => j.tools));
    for (const state of due(this.#tools.values(), now)) {
      if (busy.has(state.name)) continue;
      const running = [...this.#jobs].filter((j) => GETTING.has(j.kind)).map((j) => j.memory);
      const room = capacity(availableParallelism(), this.#o.freeMemory(), this.#o.config.TOOL_LOADER_GATEWAY_MEMORY);
      // Someone who waits doesn't wait for the queue.
      if (!state.awaited && !fits(room, running, state.memory, this.#o.config.TOOL_LOADER_CONCURRENCY)) break;
      this.#launch("acquire", [state.name], state.awaited ? "awaited" : "background");
    }
    const alarms = [...this.#tools.values()].flatMap((s) => (s.retryAt === undefined || !s.wanted ? [] : [s.retryAt]));
    const soonest = Math.min(...alarms);
    if (!Number.isFinite(soonest)) return;
    this.#alarm = new AbortController();
    this.#after(Math.max(0, soonest - now), () => this.#tick(), this.#alarm);
  }

  /** Does something later, unless the loader stops or the wait is ended first. */
  #after(seconds: number, action: () => void, over?: AbortController): void {
    const signal = over === undefined ? this.#over.signal : AbortSignal.any([this.#over.signal, over.signal]);
    this.#o.clock.sleep(seconds, signal).then(action, () => {});
  }

  #launch(kind: JobKind, tools: readonly string[], urgency: Urgency): void {
    const memory = kind === "acquire" ? Math.max(...tools.map((t) => this.#tools.get(t)?.memory ?? 0)) : UNPACKING;
    // Waiting for a volume that is known to fail would keep a tool from being there.
    const withoutVolume = kind === "acquire" && UNUSABLE.has(this.#volume.state);
    const onEvent = (event: JobEvent) => this.#heard(event);
    const job = this.#o.startJob({ kind, tools, memory, urgency, withoutVolume, onEvent });
    this.#jobs.add(job);
    if (kind === "acquire" && tools.length === 1) for (const tool of tools) this.#apply({ event: "started", tool });
    void job.done.then((reason) => {
      this.#jobs.delete(job);
      if (this.#over.signal.aborted) return;
      if (reason !== undefined) this.#o.log("warn", reason, { job: kind, tools });
      for (const [tool, state] of this.#tools)
        if (state.status === "installing" && ![...this.#jobs].some((j) => GETTING.has(j.kind)))
          this.#apply({ event: "lost", tool, message: reason ?? "the job ended without a word" });
        else if (tools.includes(tool) && state.status === "installing")
          this.#apply({ event: "lost", tool, message: reason ?? "the job ended without a word" });
      // What a container before had installed, and was killed before it kept it.
      if (GETTING.has(kind) && this.#volume.state === "ok") this.#saveMissed();
      this.#tick();
      this.#maybePrune();
    });
  }

  #heard(event: JobEvent): void {
    if (event.event === "note") {
      this.#o.log(event.level, event.message, event.tool === undefined ? {} : { tool: event.tool });
      return;
    }
    if (event.event === "volume") {
      this.#volumeTold(event);
      return;
    }
    this.#apply(event);
    if (event.event === "installed" || event.event === "failed") this.#tick();
  }

  #apply(event: ToolEvent): void {
    const state = this.#tools.get(event.tool);
    if (state === undefined) return;
    const { clock, random, config } = this.#o;
    const rules: Rules = {
      now: clock.now(),
      attempts: config.TOOL_LOADER_ATTEMPTS,
      delay: (attempt) => retryDelay(attempt, random),
      slowRetry: SLOW_RETRY,
    };
    const after = next(state, event, rules);
    if (after === state) return;
    this.#tools.set(event.tool, after);
    this.#logChange(state, after, event);
    this.#tell("tool", after);
    if (this.#loadedAt === undefined && this.#readyAt !== undefined && allLoaded([...this.#tools.values()])) {
      this.#loadedAt = clock.now();
      this.#o.log("info", "all deferred tools are there", {
        seconds: Math.round((this.#loadedAt - this.#readyAt) * 10) / 10,
      });
    }
  }

  #logChange(before: ToolState, after: ToolState, event: ToolEvent): void {
    const { log } = this.#o;
    if (event.event === "failed" || event.event === "lost") {
      const counted = this.#attempts.get(after.name) ?? { ok: 0, failed: 0 };
      this.#attempts.set(after.name, { ...counted, failed: counted.failed + 1 });
      const retry = after.retryAt === undefined ? {} : { retryIn: Math.round(after.retryAt - this.#o.clock.now()) };
      const kept = event.event === "failed" && event.log !== undefined ? { output: event.log.slice(-2000) } : {};
      log("warn", "a tool could not be had", {
        tool: after.name,
        attempt: after.attempts,
        reason: after.lastError,
        ...retry,
        ...kept,
      });
    } else if (event.event === "installed" && before.status !== "installed") {
      const counted = this.#attempts.get(after.name) ?? { ok: 0, failed: 0 };
      this.#attempts.set(after.name, { ...counted, ok: counted.ok + 1 });
      log("info", "a tool is there", {
        tool: after.name,
        version: after.version,
        source: after.source,
        seconds: after.seconds,
      });
    } else if (event.event === "unsaved")
      log("warn", "a tool could not be kept on the volume", { tool: after.name, reason: event.message });
    else if (event.event === "phase" && after.phase !== before.phase) log("debug", event.phase, { tool: after.name });
  }

  /** A volume that fails is looked at again, ever more seldom; one that is back gets what it missed. */
  #volumeTold(event: Extract<JobEvent, { event: "volume" }>): void {
    const before = this.#volume.state;
    const state = event.fault ?? "ok";
    this.#volume = { state, message: event.message };
    if (state !== before) {
      this.#o.log(
        event.fault === null ? "info" : "warn",
        event.fault === null ? "the volume is there" : "the volume fails; tools stay on local disk",
        {
          state,
          reason: event.message,
        },
      );
      this.#tell("volume", this.#volume);
    }
    const { TOOL_LOADER_VOLUME_RETRY: first } = this.#o.config;
    if (event.fault === null) {
      this.#volumeRetry = first;
      if (before !== "ok") this.#saveMissed();
      return;
    }
    this.#volumeFaults++;
    if (this.#volumeLookedAt) return;
    this.#volumeLookedAt = true;
    const wait = this.#volumeRetry;
    this.#volumeRetry = Math.min(first * 10, wait * 2);
    this.#after(wait, () => {
      this.#volumeLookedAt = false;
      if (this.#volume.state !== "ok") this.#launch("probe", [], "background");
    });
  }

  #saveMissed(): void {
    const busy = new Set([...this.#jobs].flatMap((j) => j.tools));
    const missed = [...this.#tools.values()].filter(
      (t) => t.status === "installed" && t.saved === false && t.source !== "baked" && !busy.has(t.name),
    );
    if (missed.length > 0)
      this.#launch(
        "save",
        missed.map((t) => t.name),
        "background",
      );
  }

  /** Once, when all is loaded and nothing runs. */
  #maybePrune(): void {
    if (this.#pruned || this.#loadedAt === undefined || this.#jobs.size > 0) return;
    this.#pruned = true;
    this.#launch("prune", [], "background");
  }

  #setGateway(state: GatewayState): void {
    if (this.#gateway === state) return;
    this.#gateway = state;
    this.#tell("gateway", { gateway: state });
    this.#tick();
  }

  #tell(event: string, data: unknown): void {
    for (const listener of this.#listeners) listener(event, data);
  }
}
