import { readFile } from "node:fs/promises";
import type { Config } from "../config.ts";
import { LoaderError, reasonOf } from "../error.ts";
import { catalogue } from "./catalogue.ts";
import { parseSpecs } from "./check.ts";
import type { ToolSpec } from "./tool-spec.ts";

/**
 * The tools: those that the loader knows, and those of the file that the settings name, which replace them by name.
 * The file is a list, or `{ "only": true, "tools": [ … ] }` to leave the known ones out.
 */
export async function loadSpecs(config: Config): Promise<ToolSpec[]> {
  const file = config.TOOL_LOADER_SPECS;
  if (file === undefined) return parseSpecs(catalogue());
  let content: unknown;
  try {
    content = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new LoaderError(`TOOL_LOADER_SPECS: ${file}: ${reasonOf(cause)}`, "name a JSON file with tool specs", {
      cause,
    });
  }
  const object = Array.isArray(content)
    ? { only: false, tools: content }
    : (content as { only?: unknown; tools?: unknown } | null);
  const tools = object?.tools;
  if (!Array.isArray(tools))
    throw new LoaderError(`${file}: expected a list of tools, or an object with \`tools\``, "see docs/tool-loader.md");
  const named = new Set(tools.map((t: { name?: unknown } | null) => t?.name));
  const known = object?.only === true ? [] : catalogue().filter((t) => !named.has(t.name));
  return parseSpecs([...known, ...tools], file);
}
