import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { UserError } from "../core/error.ts";
import { hint } from "../core/lineage.ts";
import { show } from "./diagnostics.ts";
import type { StackConfig } from "./schema.ts";
import { outsideFindings, parseStackConfig, strangerFindings, withoutPrefix } from "./stack.ts";

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
  const text = stackFileText(root, file);
  const config = stackFileConfig(text, file);
  const own = withoutPrefix(config);
  return parseStackConfig(own, file, own, [
    ...outsideFindings(text, file),
    ...strangerFindings(Object.keys(config), file),
  ]);
}

/** Whether a stack has encrypted something, or may at any time: its passphrase is given then. */
export function isSalted(root: string, stack: string): boolean {
  return /^encryptionsalt:/m.test(stackFileText(root, `Pulumi.${stack}.yaml`));
}

function stackFileText(root: string, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(join(root, file)));
  } catch (error) {
    const why = error instanceof TypeError ? "it is not UTF-8" : (error as Error).message;
    throw new UserError(`${file} can't be read: ${why}`, "write it anew, or take it back from git (`git restore`)");
  }
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
  if (typeof (document ?? {}) !== "object" || Array.isArray(document))
    throw new UserError(`${file}: expected a map with the key "config", found ${show(document)}`, "write one");
  const config = (document as { config?: unknown } | null)?.config ?? {};
  if (typeof config !== "object" || Array.isArray(config))
    throw new UserError(`${file}: expected a map under "config", found ${show(config)}`, "write keys there");
  return config as Record<string, unknown>;
}
