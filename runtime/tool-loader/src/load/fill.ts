import type { ToolSpec } from "../spec/tool-spec.ts";

/** Fills in `{prefix}`, `{version}`, `{work}` and `{tool:NAME}`; braces around anything else stay. */
export function fill(
  text: string,
  spec: ToolSpec,
  prefix: string,
  work: string,
  tool: (name: string) => string,
): string {
  return text
    .replaceAll("{prefix}", prefix)
    .replaceAll("{version}", spec.version)
    .replaceAll("{work}", work)
    .replaceAll(/\{tool:([A-Za-z0-9._-]+)\}/g, (_, name: string) => tool(name));
}
