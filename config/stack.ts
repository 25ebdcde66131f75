import type { z } from "zod";
import type { UserError } from "../core/error.ts";
import type { Finding } from "../core/finding.ts";
import { hint } from "../core/lineage.ts";
import { passphraseProblem } from "../toolchain/passphrase.ts";
import { ConfigError, configFindings } from "./diagnostics.ts";
import { machineFindings } from "./machine.ts";
import { NAMESPACES, type StackConfig, stackSchema } from "./schema.ts";

const PREFIX = "keelson:";

/**
 * A stack's config inside the program, from what the engine passed: values are JSON text, secrets decrypted.
 * A secret's value is dropped here; who needs it asks `pulumi.Config` for it, as an Output.
 * @param text of the stack's file, for what the engine passes over in it
 */
export function engineStackConfig(
  all: Readonly<Record<string, string>>,
  secretKeys: ReadonlySet<string>,
  stack: string,
  text = "",
): StackConfig {
  const raw: Record<string, unknown> = {};
  for (const [key, text] of Object.entries(all)) {
    const value = parseValue(text);
    raw[key] = secretKeys.has(key) ? hideSecrets(value) : value;
  }
  const shown = Object.entries(raw).map(([key, value]) => [key, secretKeys.has(key) ? { secure: "" } : value]);
  const file = `Pulumi.${stack}.yaml`;
  const strangers = [...outsideFindings(text, file), ...strangerFindings(Object.keys(all), file)];
  return parseStackConfig(withoutPrefix(raw), file, withoutPrefix(Object.fromEntries(shown)), strangers);
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
 * @param strangers what is wrong with keys of other namespaces
 * @param shown what messages may show of `raw`: a secret is told as one, whole, whatever the schema makes of its parts.
 * @throws ConfigError with everything that is wrong.
 */
export function parseStackConfig(
  raw: Readonly<Record<string, unknown>>,
  file: string,
  shown: Readonly<Record<string, unknown>> = raw,
  strangers: readonly Finding[] = [],
): StackConfig {
  const parsed = stackSchema.safeParse(raw);
  const unknown = [...machineFindings(raw, file), ...strangers];
  if (!parsed.success)
    throw new ConfigError(file, [...configFindings(parsed.error, shown, file), ...unknown], usable(raw, parsed.error));
  if (unknown.length > 0) throw new ConfigError(file, unknown, parsed.data);
  return parsed.data;
}

/** Keys whose values are maps by a name of the user's: one that is wrong takes no other along. */
const NAMED: readonly string[] = ["hosts", "kubernetes", "sources", "workloads"];

/** What is left of a config without the values that the schema refuses; undefined where that is none. */
function usable(raw: Readonly<Record<string, unknown>>, { issues }: z.ZodError): StackConfig | undefined {
  const refused = issues.flatMap(({ path: [key, name], ...issue }): (readonly [string, string?])[] => {
    if (key === undefined) return issue.code === "unrecognized_keys" ? issue.keys.map((k) => [k]) : [];
    return [NAMED.includes(String(key)) && name !== undefined ? [String(key), String(name)] : [String(key)]];
  });
  const without = (map: object, names: readonly (string | undefined)[]) =>
    Object.fromEntries(Object.entries(map).filter(([name]) => !names.includes(name)));
  const whole = refused.flatMap(([key, name]) => (name === undefined ? [key] : []));
  const rest = Object.entries(without(raw, whole)).map(([key, value]): [string, unknown] => {
    const names = refused.flatMap(([k, name]) => (k === key ? [name] : []));
    return [key, names.length > 0 && typeof value === "object" && value !== null ? without(value, names) : value];
  });
  const parsed = stackSchema.safeParse(Object.fromEntries(rest));
  return parsed.success ? parsed.data : undefined;
}

/** What Pulumi reads at the top of a stack's file. */
const OUTSIDE = ["config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment"];

/**
 * Keys beside `config` that nobody reads, line by line: a misspelt `config` would be a stack that wants nothing, and `up`
 * would take all away that it has.
 * @example outsideFindings("cofnig:\n  keelson:images: [a]\n", "Pulumi.dev.yaml")[0]?.where?.line // 1
 */
export function outsideFindings(text: string, file: string): Finding[] {
  return text.split("\n").flatMap((line, index): Finding[] => {
    const [, key] = /^["']?([A-Za-z_][\w:.-]*)["']?\s*:(?:\s|$)/.exec(line) ?? [];
    if (key === undefined || OUTSIDE.includes(key)) return [];
    return [
      {
        rule: "config/unknown-key",
        severity: "error",
        subject: key,
        message: "nobody reads this key: it stands beside config",
        fix: key.includes(":") ? "indent it below config" : `write one of: ${OUTSIDE.join(", ")}${hint(key, OUTSIDE)}`,
        where: { file, line: index + 1 },
      },
    ];
  });
}

/**
 * Keys that nobody reads: of a namespace that is nearly a known one, or the project's own in another one. Any other
 * namespace may be that of a provider that someone has added.
 */
export function strangerFindings(keys: readonly string[], file: string): Finding[] {
  return keys.flatMap((key): Finding[] => {
    const [, namespace = "", name = ""] = /^(?:([^:]*):)?(.*)$/s.exec(key) ?? [];
    if (NAMESPACES.includes(namespace)) return [];
    const near = hint(namespace.toLowerCase(), NAMESPACES);
    const [, meant] = /"(.+)"/.exec(near) ?? [];
    const known = meant ?? (Object.hasOwn(stackSchema.shape, name) ? "keelson" : undefined);
    if (known === undefined) return [];
    return [
      {
        rule: "config/unknown-namespace",
        severity: "error",
        subject: key,
        message: `${JSON.stringify(namespace)} is no namespace of this project, so the key would mean nothing`,
        fix: `write ${known}:${name}`,
        where: { file },
      },
    ];
  });
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

const SECRET_KEYS = new Set(["password", "token", "secret", "privateKey", "privateKeyPassword"]);

/** Puts the mark that a stack's file has in place of each secret's text, so that one schema reads both. */
function hideSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hideSecrets);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, hideSecret(key, v)]));
}

/** A workload's secrets have names of their own, all under one key. */
function hideSecret(key: string, value: unknown): unknown {
  if (SECRET_KEYS.has(key)) return { secure: "" };
  if (key !== "secrets" || typeof value !== "object" || value === null || Array.isArray(value))
    return hideSecrets(value);
  return Object.fromEntries(Object.keys(value).map((name) => [name, { secure: "" }]));
}
