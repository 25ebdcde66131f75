import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { UserError } from "../core/error.ts";
import { hint } from "../core/lineage.ts";
import { ConfigError, configFindings } from "./diagnostics.ts";
import { type StackConfig, stackSchema } from "./schema.ts";

const PREFIX = "keelson:";

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
  return parseStackConfig(stackFileConfig(readFileSync(join(root, file), "utf8"), file), file);
}

/** The `keelson:` keys of a stack's file, without their prefix. */
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
  return withoutPrefix(config as Record<string, unknown>);
}

/**
 * A stack's config inside the program, from what the engine passed: values are JSON text, secrets decrypted.
 * A secret's value is dropped here; who needs it asks `pulumi.Config` for it, as an Output.
 */
export function engineStackConfig(
  all: Readonly<Record<string, string>>,
  secretKeys: ReadonlySet<string>,
  stack: string,
): StackConfig {
  const raw: Record<string, unknown> = {};
  for (const [key, text] of Object.entries(all)) {
    const value = parseValue(text);
    raw[key] = secretKeys.has(key) ? hideSecrets(value) : value;
  }
  return parseStackConfig(withoutPrefix(raw), `Pulumi.${stack}.yaml`);
}

/** The config keys that hold a secret, as the engine tells the program. */
export function engineSecretKeys(): ReadonlySet<string> {
  return new Set<string>(JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS || "[]"));
}

/** @throws ConfigError with everything that is wrong. */
export function parseStackConfig(raw: Readonly<Record<string, unknown>>, file: string): StackConfig {
  const parsed = stackSchema.safeParse(raw);
  if (!parsed.success) throw new ConfigError(file, configFindings(parsed.error, raw, file));
  return parsed.data;
}

function withoutPrefix(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) =>
      key.startsWith(PREFIX) ? [[key.slice(PREFIX.length), value] as const] : [],
    ),
  );
}

/** The engine hands over lists and maps as JSON, and all else as text; "12.0" was quoted, or it would be 12. */
function parseValue(text: string): unknown {
  if (!/^(?:[[{"]|-?\d+(?:\.\d+)?$|true$|false$)/.test(text)) return text;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "number" && String(value) !== text ? text : value;
  } catch {
    return text;
  }
}

const SECRET_KEYS = new Set(["password", "token", "secret", "privateKey"]);

/** Puts the mark that a stack's file has in place of each secret's text, so that one schema reads both. */
function hideSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hideSecrets);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => [key, SECRET_KEYS.has(key) ? { secure: "" } : hideSecrets(v)]),
  );
}
