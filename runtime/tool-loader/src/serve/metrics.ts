import type { Snapshot } from "./health.ts";

const STATUSES = ["pending", "installing", "installed", "failed"] as const;

/** What has been counted since the start. */
export interface Counters {
  /** Attempts that ended, by tool and how. */
  readonly attempts: ReadonlyMap<string, { readonly ok: number; readonly failed: number }>;
  readonly volumeFaults: number;
}

/** The text that Prometheus scrapes (exposition format 0.0.4). */
export function metrics(s: Snapshot, counters: Counters, residentBytes: number): string {
  const out: string[] = [];
  const family = (
    name: string,
    type: "gauge" | "counter",
    help: string,
    samples: readonly (readonly [Record<string, string>, number])[],
  ) => {
    out.push(`# HELP tool_loader_${name} ${help}`, `# TYPE tool_loader_${name} ${type}`);
    for (const [labels, value] of samples) out.push(`tool_loader_${name}${show(labels)} ${value}`);
  };
  family("gateway_up", "gauge", "Whether the gateway answers what proves that it works.", [
    [{}, s.gateway === "running" ? 1 : 0],
  ]);
  family("volume_up", "gauge", "Whether the volume did what it should when it was last used.", [
    [{ state: s.volume.state }, s.volume.state === "ok" ? 1 : 0],
  ]);
  family(
    "tool_status",
    "gauge",
    "1 for the status that a tool has.",
    s.tools.flatMap((t) => STATUSES.map((status) => [{ tool: t.name, status }, t.status === status ? 1 : 0] as const)),
  );
  family(
    "tool_seconds",
    "gauge",
    "Seconds that it took until the tool was there.",
    s.tools.flatMap((t) =>
      t.seconds === undefined ? [] : [[{ tool: t.name, source: t.source ?? "" }, t.seconds] as const],
    ),
  );
  family(
    "tool_saved",
    "gauge",
    "Whether the volume keeps the tool.",
    s.tools.flatMap((t) => (t.saved === undefined ? [] : [[{ tool: t.name }, t.saved ? 1 : 0] as const])),
  );
  family(
    "attempts_total",
    "counter",
    "Attempts at a tool that ended, by result.",
    [...counters.attempts].flatMap(([tool, n]) => [
      [{ tool, result: "ok" }, n.ok] as const,
      [{ tool, result: "failed" }, n.failed] as const,
    ]),
  );
  family("volume_faults_total", "counter", "Times that the volume failed.", [[{}, counters.volumeFaults]]);
  if (s.readyAt !== undefined && s.loadedAt !== undefined)
    family("deferred_seconds", "gauge", "Seconds from the gateway's health to the last deferred tool.", [
      [{}, s.loadedAt - s.readyAt],
    ]);
  family("resident_bytes", "gauge", "Memory of the loader itself.", [[{}, residentBytes]]);
  return `${out.join("\n")}\n`;
}

function show(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(
    ([k, v]) => `${k}="${v.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
