import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Home } from "./home.ts";
import type { Tool, ToolDefinition } from "./tool.ts";

/** The checkout's folder of executables: `keelson env` puts it first on PATH. */
export function binFolder(root: string): string {
  return join(root, ".keelson", "bin");
}

/**
 * Makes a tool callable by its name: a link in the checkout's bin folder; for a provider, in the engine's plugin folder.
 * A tool of PATH needs none.
 */
export function linkTool(definition: ToolDefinition, tool: Tool, root: string, h: Home): void {
  const { plugin, name } = definition;
  const place = plugin ? join(h.pulumi, "plugins", plugin, name) : join(binFolder(root), name);
  if (tool.origin === "path") rmSync(place, { force: true });
  else link(tool.path, place);
}

/** The programs of the checkout itself: the node that runs now, and keelson. */
export function linkOwn(root: string): void {
  link(process.execPath, join(binFolder(root), "node"));
  link(join(root, "toolchain", "bootstrap.mjs"), join(binFolder(root), "keelson"));
}

function link(target: string, path: string): void {
  if (currentTarget(path) === target) return;
  mkdirSync(dirname(path), { recursive: true });
  const fresh = `${path}.${process.pid}`;
  rmSync(fresh, { force: true });
  symlinkSync(target, fresh);
  renameSync(fresh, path);
}

function currentTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
