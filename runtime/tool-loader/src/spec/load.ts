import { readFile } from "node:fs/promises";
import * as z from "zod";
import type { Config } from "../config.ts";
import { LoaderError, reasonOf } from "../error.ts";
import { mistakesIn } from "../mistake.ts";
import { catalogue } from "./catalogue.ts";
import { parseSpecs } from "./check.ts";
import type { ToolSpec } from "./tool-spec.ts";

const fileSchema = z.strictObject({ only: z.boolean().default(false), tools: z.array(z.unknown()) });

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
  const parsed = fileSchema.safeParse(Array.isArray(content) ? { tools: content } : content);
  if (!parsed.success) {
    const problems = mistakesIn(parsed.error, content, () => Object.keys(fileSchema.shape));
    throw new LoaderError(
      `${file}: expected a list of tools, or an object with it as \`tools\`\n${problems.map(({ path, message }) => `  - ${[...path, ""].join(": ")}${message}`).join("\n")}`,
      "see docs/tool-loader.md",
    );
  }
  const { only, tools } = parsed.data;
  const named = new Set(tools.map((t) => (t as { name?: unknown } | null)?.name));
  return parseSpecs(tools, file, only ? [] : catalogue().filter((t) => !named.has(t.name)));
}
