import type { UserError } from "../core/error.ts";
import { passphraseProblem } from "../toolchain/passphrase.ts";
import { ConfigError, configFindings } from "./diagnostics.ts";
import { machineFindings } from "./machine.ts";
import { type StackConfig, stackSchema } from "./schema.ts";

const PREFIX = "keelson:";

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
  const shown = Object.entries(raw).map(([key, value]) => [key, secretKeys.has(key) ? { secure: "" } : value]);
  return parseStackConfig(withoutPrefix(raw), `Pulumi.${stack}.yaml`, withoutPrefix(Object.fromEntries(shown)));
}

/** The config keys that hold a secret, as the engine tells the program. */
export function engineSecretKeys(): ReadonlySet<string> {
  return new Set<string>(JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS || "[]"));
}

/** What is wrong with the passphrase that the engine runs under, if anything. */
export function enginePassphraseProblem(stack: string): UserError | undefined {
  return passphraseProblem(stack, process.env);
}

/**
 * @param shown what messages may show of `raw`: a secret is told as one, whole, whatever the schema makes of its parts.
 * @throws ConfigError with everything that is wrong.
 */
export function parseStackConfig(
  raw: Readonly<Record<string, unknown>>,
  file: string,
  shown: Readonly<Record<string, unknown>> = raw,
): StackConfig {
  const parsed = stackSchema.safeParse(raw);
  const unknown = machineFindings(raw, file);
  if (!parsed.success) throw new ConfigError(file, [...configFindings(parsed.error, shown, file), ...unknown]);
  if (unknown.length > 0) throw new ConfigError(file, unknown);
  return parsed.data;
}

/** The keys of the project's own namespace, without it. */
export function withoutPrefix(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
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
