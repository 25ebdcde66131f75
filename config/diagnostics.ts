import type { z } from "zod";
import { UserError } from "../core/error.ts";
import { type Finding, formatFinding } from "../core/finding.ts";
import { hint } from "../core/lineage.ts";
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

/** The keys that the object at a path takes; none where any are. */
function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  const fits = (key: string) => {
    const parts = key === "" ? [] : key.split(".");
    return parts.length === path.length && parts.every((part, i) => part === "*" || part === String(path[i]));
  };
  return Object.entries(KNOWN_KEYS).find(([key]) => fits(key))?.[1] ?? [];
}

function issueFindings(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[], raw: unknown, file: string): Finding[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === "invalid_union") return unionFindings(issue, path, raw, file);
  const found = at(raw, path);
  const finding = (key: readonly PropertyKey[], message: string, fix: string): Finding => ({
    rule: `config/${issue.code.replaceAll("_", "-")}`,
    severity: "error",
    subject: keyPath(key),
    message,
    fix,
    where: { file },
  });
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(path);
    return issue.keys.map((key) =>
      finding(
        [...path, key],
        "unknown key",
        `remove it${known.length > 0 ? `, or write one of: ${known.join(", ")}${hint(key, known)}` : ""}`,
      ),
    );
  }
  if (issue.message === "expected a secret")
    return [
      finding(
        path,
        "expected a secret, found a value in clear (not shown)",
        `pulumi config set --secret --path '${keyPath(path)}'`,
      ),
    ];
  if (issue.code === "invalid_value") {
    const allowed = issue.values.map(String);
    return [
      finding(
        path,
        `expected ${allowed.map((v) => `"${v}"`).join(" or ")}, found ${show(found)}`,
        `write one of: ${allowed.join(", ")}${typeof found === "string" ? hint(found, allowed) : ""}`,
      ),
    ];
  }
  return [finding(path, `${expected(issue)}, found ${show(found)}`, `see the key's description in Pulumi.yaml`)];
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
      message: `expected ${[...new Set(allowed)].join(" or ")}, found ${show(found)}`,
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
  if (issue.code === "invalid_type") return `expected ${article(issue.expected)}`;
  if (issue.code === "too_small")
    return `expected at least ${issue.minimum}${issue.origin === "array" ? " entries" : ""}`;
  if (issue.code === "too_big") return `expected at most ${issue.maximum}${issue.origin === "array" ? " entries" : ""}`;
  return `expected ${issue.message}`;
}

function article(type: string): string {
  return type === "array" ? "a list" : /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
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

/** The found value for a message: short, and never what could be a secret's text. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (isSecret(value)) return "a secret";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
