import type { z } from "zod";
import { UserError } from "../core/error.ts";
import { type Finding, formatFinding } from "../core/finding.ts";
import { hint } from "../core/lineage.ts";
import { maskSecrets } from "../core/secrets.ts";
import { KNOWN_KEYS, type StackConfig } from "./schema.ts";

/** A stack's config that can't be used: all that is wrong with it, at once. */
export class ConfigError extends UserError {
  readonly findings: readonly Finding[];
  readonly file: string;
  /** Not shown with the error: it is a whole config. */
  readonly #rest: StackConfig | undefined;

  constructor(file: string, findings: readonly Finding[], rest?: StackConfig) {
    const count = findings.length === 1 ? "1 error" : `${findings.length} errors`;
    super(
      `${file} has ${count}:\n${findings.map((f) => formatFinding(f).replaceAll(/^/gm, "  ")).join("\n")}`,
      `correct ${file}, or use \`pulumi config set --path\``,
    );
    this.findings = findings;
    this.file = file;
    this.#rest = rest;
  }

  /** The config without the keys that are at fault: what else is wrong can be told with them. */
  get rest(): StackConfig | undefined {
    return this.#rest;
  }
}

/**
 * What zod found, as findings with the key path, what was found and what is allowed. A value that matches no branch
 * of a union is judged by the branch that it comes nearest to.
 */
export function configFindings(error: z.ZodError, raw: unknown, file: string): Finding[] {
  return error.issues.flatMap((issue) => issueFindings(issue, [], raw, file));
}

/**
 * The finding on a key that an object has not.
 * @param known those that it has
 */
export function unknownKey(path: readonly PropertyKey[], key: string, known: readonly string[], file: string): Finding {
  return {
    rule: "config/unrecognized-keys",
    severity: "error",
    subject: keyPath([...path, key]),
    message: "unknown key",
    fix: `remove it${known.length > 0 ? `, or write one of: ${known.join(", ")}${hint(key, known)}` : ""}`,
    where: { file },
  };
}

/** The keys that the object at a path takes; none where any are. */
function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  return ofPath(KNOWN_KEYS, path) ?? [];
}

/** The entry of a path; `*` in its key is any key. */
function ofPath<T>(entries: Readonly<Record<string, T>>, path: readonly PropertyKey[]): T | undefined {
  const fits = (key: string) => {
    const parts = key === "" ? [] : key.split(".");
    return parts.length === path.length && parts.every((part, i) => part === "*" || part === String(path[i]));
  };
  return Object.entries(entries).find(([key]) => fits(key))?.[1];
}

function issueFindings(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[], raw: unknown, file: string): Finding[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === "invalid_union") return unionFindings(issue, path, raw, file);
  const value = at(raw, path);
  const found = show(value, path);
  const finding = (key: readonly PropertyKey[], message: string, fix: string): Finding => ({
    rule: `config/${issue.code.replaceAll("_", "-")}`,
    severity: "error",
    subject: keyPath(key),
    message,
    fix,
    where: { file },
  });
  if (issue.code === "unrecognized_keys") {
    // One that others of its kind have, as a workload on a host has some that one on a cluster lacks.
    return issue.keys.map((key) =>
      unknownKey(
        path,
        key,
        knownKeys(path).filter((one) => one !== key),
        file,
      ),
    );
  }
  if (issue.message === "expected a secret")
    return [
      finding(
        path,
        `expected a secret, found ${value === undefined || value === null ? "nothing" : "a value in clear (not shown)"}`,
        `pulumi config set${stackOption(file)} --secret --path '${keyPath(path)}'`,
      ),
    ];
  if (issue.code === "invalid_value") {
    const allowed = issue.values.map(String);
    return [
      finding(
        path,
        `expected ${allowed.map((v) => `"${v}"`).join(" or ")}, found ${found}`,
        `write one of: ${allowed.join(", ")}${typeof value === "string" ? hint(value, allowed) : ""}`,
      ),
    ];
  }
  if (issue.code === "invalid_key")
    return [
      finding(
        path,
        `expected as a name ${issue.issues.map(wanted).join(" and ")}, found "${String(path.at(-1))}"`,
        "write another name",
      ),
    ];
  const fix = quoting(issue, value) ?? listing(issue, value) ?? ofPath(EXAMPLES, path) ?? SEE;
  return [finding(path, `${expected(issue)}, found ${found}`, fix)];
}

const SEE = "see the key's description in Pulumi.yaml";

/** Another stack than the one that happens to be selected. */
function stackOption(file: string): string {
  const [, stack] = /(?:^|\/)Pulumi\.([^/]+)\.yaml$/.exec(file) ?? [];
  return stack === undefined ? "" : ` --stack ${stack}`;
}

/** One word where a list is wanted, or a command as people type it. */
function listing(issue: z.core.$ZodIssue, value: unknown): string | undefined {
  if (issue.code !== "invalid_type" || issue.expected !== "array" || typeof value !== "string") return undefined;
  if (!/^[\w./:@%+ -]+$/.test(value) || value.trim() === "") return undefined;
  return `write it as a list: [${value.trim().split(/ +/).join(", ")}]`;
}

/** How a key is written whose name says too little. */
const EXAMPLES: Readonly<Record<string, string>> = {
  "hosts.*.address": "write the server's name or its IP address",
  "hosts.*.hostKey":
    'write the server\'s public key, such as "ssh-ed25519 AAAA…": `ssh-keyscan ADDRESS` prints it behind the address; compare it with what its provider shows',
  "workloads.*.port": "write it such as { container: 8080, publish: 80 }",
  "workloads.*.volumes.*": "write it such as { source: data, target: /data }",
  "workloads.*.limits": "write it such as { memory: 512 MiB, cpus: 1.5, processes: 200 }",
  "workloads.*.health": "write it such as { port: 8080, path: /health, within: 30 s }",
  "workloads.*.init": "write it such as { file: config.json, command: [config, init] }",
  "workloads.*.hooks": "write it such as { before: /usr/local/bin/backup }",
  "workloads.*.hooks.*": "write the absolute path of a program on the host, without arguments",
  "workloads.*.secretFiles": "write the names of those of its secrets that are files, such as [TOKEN]",
};

/** YAML takes 8.9 and yes for what they look like, and "16" for a text. */
function quoting(issue: z.core.$ZodIssue, value: unknown): string | undefined {
  if (issue.code !== "invalid_type" || !issue.message.startsWith("Invalid")) return undefined;
  if (issue.expected === "string" && (typeof value === "number" || typeof value === "boolean"))
    return `write it in quotes, such as "${value}"`;
  if (issue.expected === "boolean" && typeof value === "string" && /^(?:yes|no|on|off|true|false)$/i.test(value))
    return `write ${/^(?:yes|on|true)$/i.test(value)}, without quotes`;
  const isNumber = typeof value === "string" && /^-?\d+(?:\.\d+)?$/.test(value);
  return issue.expected === "number" && isNumber ? `write it without quotes: ${value}` : undefined;
}

function unionFindings(
  issue: z.core.$ZodIssueInvalidUnion,
  path: readonly PropertyKey[],
  raw: unknown,
  file: string,
): Finding[] {
  const branches = issue.errors.map((branch) => branch.flatMap((i) => issueFindings(i, path, raw, file)));
  const isWhole = (f: Finding) => f.subject === keyPath(path);
  const near = branches.filter((b) => !b.every(isWhole)).toSorted((a, b) => a.length - b.length)[0];
  const unknownHere = branches.flat().filter((f) => f.rule === "config/unrecognized-keys");
  if (near !== undefined && unknownHere.length < branches.length) return near;
  const found = at(raw, path);
  const allowed = branches
    .flat()
    .filter(isWhole)
    .map((f) => f.message.replace(/, found .*$/s, "").replace(/^expected /, ""));
  const words = issue.errors.flat().flatMap((i) => (i.code === "invalid_value" ? i.values.map(String) : []));
  return [
    {
      rule: "config/invalid-value",
      severity: "error",
      subject: keyPath(path),
      message: `expected ${[...new Set(allowed)].join(" or ")}, found ${show(found, path)}`,
      fix:
        typeof found === "string" && words.length > 0
          ? `write one of: ${words.join(", ")}, or a map as Pulumi.yaml describes it${hint(found, words)}`
          : "see the key's description in Pulumi.yaml",
      where: { file },
    },
  ];
}

/** What an issue asks for, in words. */
export function expected(issue: z.core.$ZodIssue): string {
  return `expected ${wanted(issue)}`;
}

function wanted(issue: z.core.$ZodIssue): string {
  if (issue.message.startsWith("expected ")) return issue.message.slice("expected ".length);
  if (issue.code === "invalid_type") return kind(issue.expected);
  const entries = "origin" in issue && issue.origin === "array" ? " entries" : "";
  if (issue.code === "too_small")
    return `${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}${entries}`;
  if (issue.code === "too_big")
    return `${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}${entries}`;
  const isCustom = !issue.message.startsWith("Invalid");
  if (isCustom) return issue.message;
  if (issue.code === "invalid_format" && issue.format === "url") return "a URL, such as https://example.com";
  if (issue.code === "invalid_format" && issue.format === "starts_with")
    return `a text that begins with "${(issue as z.core.$ZodIssueStringStartsWith).prefix}"`;
  return issue.message;
}

/** zod's names of types, as people call them who write YAML. */
const KINDS: Readonly<Record<string, string>> = {
  array: "a list",
  object: "a map",
  record: "a map",
  int: "a whole number",
};

function kind(type: string): string {
  return KINDS[type] ?? (/^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`);
}

function keyPath(path: readonly PropertyKey[]): string {
  const [first, ...rest] = path;
  return `keelson:${String(first ?? "")}${rest.map((p) => (typeof p === "number" ? `[${p}]` : `.${String(p)}`)).join("")}`;
}

/** A value that Pulumi keeps encrypted, as a stack's file has it. */
function isSecret(value: unknown): boolean {
  return value !== null && typeof value === "object" && "secure" in value;
}

/** The value at a path, or the secret that it lies in; undefined where there is none. */
export function at(raw: unknown, path: readonly PropertyKey[]): unknown {
  let value = raw;
  for (const key of path) {
    if (isSecret(value)) return value;
    value = value !== null && typeof value === "object" ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  }
  return value;
}

/** Keys whose values are secrets wherever they stand, though somebody wrote one in clear or in another's place. */
const TELLING = /secret|password|passphrase|token|credential|private/i;

/**
 * The found value for a message: short, and never what could be a secret's text: of maps the keys alone, of lists numbers alone.
 * @param path where it was found
 */
export function show(value: unknown, path: readonly PropertyKey[] = []): string {
  if (value === undefined) return "nothing";
  if (isSecret(value)) return "a secret";
  if (Array.isArray(value)) {
    if (value.length === 0) return "an empty list";
    return value.every((one) => typeof one === "number") ? cut(`[${value.join(", ")}]`) : "a list";
  }
  if (value !== null && typeof value === "object") {
    const keys = Object.keys(value);
    return keys.length === 0 ? "an empty map" : `a map of ${cut(keys.join(", "))}`;
  }
  if (path.some((key) => typeof key === "string" && TELLING.test(key))) return "a value that is not shown";
  return cut(maskSecrets(JSON.stringify(value)));
}

const cut = (text: string): string => (text.length > 80 ? `${text.slice(0, 77)}...` : text);
