import { shownVersion } from "../spec/tool-spec.ts";
import type { VolumeFault } from "../volume/volume.ts";
import type { Status, ToolState } from "./state.ts";

export type GatewayState = "starting" | "running" | "unresponsive" | "stopped";

export interface VolumeState {
  /** `none` where no volume is configured; `unknown` until the first job has used it. */
  readonly state: "none" | "unknown" | "ok" | VolumeFault;
  readonly message: string;
}

/** All that the health tells about. */
export interface Snapshot {
  readonly gateway: GatewayState;
  readonly volume: VolumeState;
  readonly tools: readonly ToolState[];
  /** Seconds, monotonic. */
  readonly now: number;
  /** When the gateway was first healthy, and when every deferred tool was there. */
  readonly readyAt?: number;
  readonly loadedAt?: number;
  /** Seconds within which the deferred tools are expected. */
  readonly deadline: number;
  /** Mistakes in the settings or specs, and where tools went instead of their root. */
  readonly notes: readonly string[];
}

/** `healthy`, or `degraded` where the gateway serves and something beside it is wrong. */
export function statusOf(s: Snapshot): "starting" | "healthy" | "degraded" | "unhealthy" {
  if (s.gateway === "starting") return "starting";
  if (s.gateway !== "running") return "unhealthy";
  const broken = s.tools.some((t) => t.status === "failed" && t.wanted);
  const volume = !["none", "unknown", "ok"].includes(s.volume.state);
  return broken || volume || s.notes.length > 0 || late(s) ? "degraded" : "healthy";
}

function late(s: Snapshot): boolean {
  return s.readyAt !== undefined && s.loadedAt === undefined && s.now - s.readyAt > s.deadline;
}

/** What `/health` answers: 200 as long as the gateway serves, whatever the tools do. */
export function health(s: Snapshot): { code: number; body: Record<string, unknown> } {
  return { code: s.gateway === "running" ? 200 : 503, body: { status: statusOf(s), gateway: s.gateway } };
}

/** What `/health?full=true` answers: 000's example, and details beside it. */
export function fullHealth(s: Snapshot): { code: number; body: Record<string, unknown> } {
  const shown = s.tools.filter((t) => t.priority !== "immediate" && !t.support);
  const tools: Record<string, Status> = Object.fromEntries(shown.map((t) => [t.name, t.status]));
  const { code, body } = health(s);
  return {
    code,
    body: {
      ...body,
      tools,
      toolDetails: Object.fromEntries(s.tools.map((t) => [t.name, details(t, s.now)])),
      volume: s.volume,
      loading: {
        seconds: s.readyAt === undefined ? null : round((s.loadedAt ?? s.now) - s.readyAt),
        done: s.loadedAt !== undefined,
        deadline: s.deadline,
      },
      ...(s.notes.length === 0 ? {} : { notes: s.notes }),
    },
  };
}

function details(t: ToolState, now: number): Record<string, unknown> {
  const progress = t.progress?.total ? Math.min(1, t.progress.done / t.progress.total) : undefined;
  return {
    version: shownVersion(t) ?? null,
    priority: t.priority,
    source: t.source ?? null,
    ...(t.phase === undefined ? {} : { phase: t.phase }),
    ...(progress === undefined ? {} : { progress: round(progress) }),
    seconds: t.seconds !== undefined ? round(t.seconds) : t.startedAt === undefined ? null : round(now - t.startedAt),
    estimatedTime: t.estimatedTime,
    ...(t.saved === undefined ? {} : { saved: t.saved }),
    ...(t.attempts === 0 ? {} : { attempts: t.attempts }),
    ...(t.retryAt === undefined ? {} : { retryIn: round(Math.max(0, t.retryAt - now)) }),
    lastError: t.lastError ?? null,
  };
}

/** Whether everything that loads by itself is there. */
export function allLoaded(tools: readonly ToolState[]): boolean {
  return tools.every((t) => t.priority !== "deferred" || t.status === "installed");
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
