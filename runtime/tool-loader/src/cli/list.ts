import { realpath } from "node:fs/promises";
import { readConfig } from "../config.ts";
import { keptAs } from "../load/workshop.ts";
import { installedTool } from "../local/store.ts";
import { directoryOf, shownVersion } from "../spec/tool-spec.ts";
import { askHealth } from "./server.ts";
import { openSession, say } from "./session.ts";

interface Row {
  readonly tool: string;
  readonly version: string;
  readonly priority: string;
  readonly status: string;
  readonly source: string;
  readonly directory: string;
}

/** `tool-loader list`: as the running loader sees the tools, or as they stand on disk. */
export async function list(json: boolean): Promise<number> {
  const shop = await openSession((event) => event.event === "note" && say(event.message));
  const running = await askHealth(readConfig(process.env).TOOL_LOADER_PORT);
  const seen = (running?.tools ?? {}) as Record<string, string>;
  const rows: Row[] = [];
  for (const spec of shop.specs.values()) {
    const marker = await installedTool(shop.at, spec, keptAs(shop, spec).fingerprint);
    const there = marker === undefined ? undefined : await realpath(shop.at.visible(spec)).catch(() => undefined);
    rows.push({
      tool: spec.name,
      version: marker?.version ?? shownVersion(spec) ?? "",
      priority: spec.priority,
      status:
        seen[spec.name] ??
        (there === undefined ? (spec.priority === "immediate" ? "with the image" : "pending") : "installed"),
      source: marker?.source ?? "",
      directory: there === undefined ? "" : `${shop.at.root}/${directoryOf(spec)}`,
    });
  }
  process.stdout.write(json ? `${JSON.stringify(rows, null, 2)}\n` : table(rows));
  return 0;
}

export function table(rows: readonly object[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [
    columns.map((c) => c.toUpperCase()),
    ...rows.map((r) => columns.map((c) => String((r as Record<string, unknown>)[c] ?? ""))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? "").length)));
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
