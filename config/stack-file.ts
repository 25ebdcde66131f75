import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { UserError } from "../core/error.ts";
import { hint } from "../core/lineage.ts";
import type { StackConfig } from "./schema.ts";
import { parseStackConfig, strangerFindings, withoutPrefix } from "./stack.ts";

/** The stacks that have a file here. @example stackNames("/checkout") // ["dev", "prod"] */
export function stackNames(root: string): string[] {
  return readdirSync(root)
    .flatMap((file) => /^Pulumi\.([A-Za-z0-9_.-]+)\.yaml$/.exec(file)?.[1] ?? [])
    .toSorted();
}

/**
 * A stack's config from its file, without the engine.
 * @throws UserError for a stack without a file; ConfigError with all that is wrong in it.
 */
export function readStackFile(root: string, stack: string): StackConfig {
  const file = `Pulumi.${stack}.yaml`;
  const known = stackNames(root);
  if (!existsSync(join(root, file)))
    throw new UserError(
      `there is no stack "${stack}": ${file} does not exist`,
      `use one of: ${known.join(", ")}${hint(stack, known)}`,
    );
  const config = stackFileConfig(readFileSync(join(root, file), "utf8"), file);
  const own = withoutPrefix(config);
  return parseStackConfig(own, file, own, strangerFindings(Object.keys(config), file));
}

/** The keys of a stack's file, with their namespaces. */
function stackFileConfig(text: string, file: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new UserError(`${file} is no valid YAML: ${error.message}`, "correct the line that it names");
  }
  const config = (document as { config?: unknown } | null)?.config ?? {};
  if (typeof config !== "object" || Array.isArray(config))
    throw new UserError(`${file}: expected a map under "config", found ${JSON.stringify(config)}`, "write keys there");
  return config as Record<string, unknown>;
}
