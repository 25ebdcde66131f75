import type { JobEvent, Phase } from "../events.ts";
import type { Source } from "../local/marker.ts";
import type { ToolSpec } from "../spec/tool-spec.ts";

/** What 000 shows of a tool. */
export type Status = "pending" | "installing" | "installed" | "failed";

/** A tool as the loader knows it. Times are seconds of the monotonic clock. */
export interface ToolState {
  readonly name: string;
  readonly version: string;
  readonly priority: ToolSpec["priority"];
  readonly support: boolean;
  readonly estimatedTime: number;
  readonly memory: number;
  readonly status: Status;
  /** Wanted tools are loaded; an on-demand tool is wanted when it is first used. */
  readonly wanted: boolean;
  /** Someone waits for it. */
  readonly awaited: boolean;
  readonly attempts: number;
  readonly startedAt?: number;
  readonly phase?: Phase;
  readonly progress?: { readonly done: number; readonly total: number | null };
  readonly source?: Source;
  readonly seconds?: number;
  readonly lastError?: string;
  readonly retryAt?: number;
  /** On the volume: true, false, or not known yet. */
  readonly saved?: boolean;
}

/** What happens to a tool: what its job tells, and what the loader does. */
export type ToolEvent =
  | Extract<
      JobEvent,
      { tool: string; event: "phase" | "progress" | "installed" | "failed" | "absent" | "saved" | "unsaved" }
    >
  | { readonly event: "wanted"; readonly tool: string; readonly awaited: boolean }
  | { readonly event: "started"; readonly tool: string }
  /** Its job ended without having told how it went: killed, out of memory. */
  | { readonly event: "lost"; readonly tool: string; readonly message: string };

export interface Rules {
  /** Seconds, monotonic. */
  readonly now: number;
  /** Attempts in a row until a tool counts as failed. */
  readonly attempts: number;
  /** Seconds until the attempt after the given one. */
  readonly delay: (attempt: number) => number;
  /** Seconds between attempts at a tool that counts as failed for something that may pass. */
  readonly slowRetry: number;
}

export function initialState(spec: ToolSpec, prefetch: ReadonlySet<string>): ToolState {
  return {
    name: spec.name,
    version: spec.version,
    priority: spec.priority,
    support: spec.support,
    estimatedTime: spec.estimatedTime,
    memory: spec.memory,
    status: "pending",
    wanted: spec.priority !== "on-demand" || prefetch.has(spec.name),
    awaited: false,
    attempts: 0,
  };
}

/** The state after an event. Pure; an event that doesn't fit changes nothing. */
export function next(state: ToolState, event: ToolEvent, rules: Rules): ToolState {
  switch (event.event) {
    case "wanted": {
      if (state.status === "installed" || state.status === "installing")
        return { ...state, wanted: true, awaited: event.awaited };
      // Asked for again, a failed tool starts over at once.
      const { retryAt: _, ...rest } = state;
      return {
        ...rest,
        status: "pending",
        wanted: true,
        awaited: event.awaited,
        attempts: state.status === "failed" ? 0 : state.attempts,
      };
    }
    case "started":
      if (state.status === "installing") return state;
      return { ...begun(state, rules), attempts: state.status === "installed" ? 0 : state.attempts + 1 };
    case "phase":
      if (event.phase === "saving") return state;
      // A job may get what another tool needs: then this is how its start is told.
      return state.status === "installing"
        ? { ...without(state, "progress"), phase: event.phase }
        : { ...begun(state, rules), attempts: state.attempts + 1, phase: event.phase };
    case "progress":
      return state.status === "installing" ? { ...state, progress: { done: event.done, total: event.total } } : state;
    case "installed":
      return {
        ...without(state, "phase", "progress", "retryAt", "lastError", "startedAt", "saved"),
        status: "installed",
        attempts: 0,
        awaited: false,
        version: event.version,
        source: event.source,
        seconds: event.seconds,
        // What came with the image needs no volume.
        ...(event.source === "baked" ? {} : { saved: event.saved }),
      };
    case "failed":
      return failed(state, event.message, event.transient, rules);
    case "absent":
      // A start that found nothing to restore was no attempt: what is pending has one left, also after one too many.
      return state.status === "installing"
        ? { ...idle(state), status: "pending", attempts: Math.min(rules.attempts, Math.max(1, state.attempts)) - 1 }
        : state;
    case "lost":
      return state.status === "installing" ? failed(state, event.message, true, rules) : state;
    case "saved":
      // An installed tool has no other error than that it could not be kept.
      return state.status === "installed" ? { ...without(state, "lastError"), saved: true } : state;
    case "unsaved":
      return state.status === "installed"
        ? { ...state, saved: false, lastError: `not kept on the volume: ${event.message}` }
        : state;
  }
}

function begun(state: ToolState, rules: Rules): ToolState {
  return {
    ...without(state, "phase", "progress", "retryAt", "source", "seconds", "saved"),
    status: "installing",
    startedAt: rules.now,
  };
}

function idle(state: ToolState) {
  return without(state, "phase", "progress", "retryAt", "startedAt", "source", "seconds", "saved");
}

function failed(state: ToolState, message: string, transient: boolean, rules: Rules): ToolState {
  const rest = idle(state);
  const attempts = Math.max(1, state.attempts);
  if (!transient) return { ...rest, status: "failed", attempts, lastError: message, awaited: false };
  const over = attempts >= rules.attempts;
  return {
    ...rest,
    status: over ? "failed" : "pending",
    attempts,
    awaited: state.awaited && !over,
    lastError: message,
    retryAt: rules.now + (over ? rules.slowRetry : rules.delay(attempts)),
  };
}

function without<K extends keyof ToolState>(
  state: ToolState,
  ...keys: readonly K[]
): Omit<ToolState, K> & Pick<ToolState, Exclude<keyof ToolState, K>> {
  const copy: Partial<Record<keyof ToolState, unknown>> = { ...state };
  for (const key of keys) delete copy[key];
  return copy as Omit<ToolState, K> & Pick<ToolState, Exclude<keyof ToolState, K>>;
}

/** The tools whose turn has come, the most urgent first: awaited, then what the image should have, then the order of the specs. */
export function due(states: Iterable<ToolState>, now: number): ToolState[] {
  const rank = (s: ToolState) => (s.awaited ? 0 : s.priority === "immediate" ? 1 : s.priority === "deferred" ? 2 : 3);
  return [...states]
    .filter((s) => s.wanted && s.status !== "installed" && s.status !== "installing" && ready(s, now))
    .toSorted((a, b) => rank(a) - rank(b));
}

function ready(state: ToolState, now: number): boolean {
  if (state.retryAt !== undefined) return state.retryAt <= now;
  return state.status === "pending";
}
