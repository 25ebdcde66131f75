import type * as z from "zod";
import { didYouMean } from "./near.ts";

/** What is wrong with an input at one place of it. */
export interface Mistake {
  readonly path: readonly PropertyKey[];
  /** What was expected, and what was found. */
  readonly message: string;
}

/**
 * What zod found wrong, in words that need no knowledge of it: what is expected, what was found, which keys there are.
 * @param input what was checked
 * @param keys those that an object at a path may have; none where that is open
 * @example mistakesIn(error, { priority: "later" }, () => []) // [{ path: ["priority"], message: 'expected immediate, deferred or on-demand, found "later"' }]
 */
export function mistakesIn(
  error: z.ZodError,
  input: unknown,
  keys: (path: readonly PropertyKey[]) => readonly string[],
): Mistake[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => {
        const known = keys(issue.path);
        const allowed = known.length > 0 ? `, expected one of ${known.join(", ")}` : "";
        return { path: [...issue.path, key], message: `unknown key${allowed}${didYouMean(key, known)}` };
      });
    const found = at(input, issue.path);
    // A record's key is at fault, and not the value that stands there.
    if (issue.code === "invalid_key")
      return [
        {
          path: issue.path,
          message: `${issue.issues.map((one) => expected(one)).join(" and ")} as a name, found ${show(issue.path.at(-1))}`,
        },
      ];
    const hint =
      issue.code === "invalid_value" && typeof found === "string" ? didYouMean(found, issue.values.map(String)) : "";
    return [{ path: issue.path, message: `${expected(issue)}, found ${show(found)}${hint}` }];
  });
}

function expected(issue: z.core.$ZodIssue): string {
  // What a schema says in its own words.
  if (issue.message.startsWith("expected ")) return issue.message;
  switch (issue.code) {
    case "invalid_type":
      return `expected ${TYPES[issue.expected] ?? `a ${issue.expected}`}`;
    case "invalid_value":
      return `expected ${or(issue.values.map(String))}`;
    case "too_small":
      if (issue.origin === "string") return "expected a text that is not empty";
      return `expected ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}${of(issue.origin, issue.minimum)}`;
    case "too_big":
      return `expected ${issue.inclusive === false ? "less than" : "at most"} ${issue.maximum}${of(issue.origin, issue.maximum)}`;
    case "invalid_format":
      if (issue.format === "url") return "expected an address such as https://example.org";
      if (issue.format === "starts_with")
        return `expected a text that begins with "${(issue as z.core.$ZodIssueStringStartsWith).prefix}"`;
      return `expected ${(issue as { pattern?: string }).pattern ?? issue.format}`;
    default:
      return issue.message;
  }
}

/** JSON's types, as people call them. */
const TYPES: Readonly<Record<string, string>> = {
  array: "a list",
  object: "an object",
  record: "an object",
  string: "a text",
  int: "a whole number",
  boolean: "true or false",
};

function of(origin: string, count: number | bigint): string {
  if (origin === "array") return Number(count) === 1 ? " entry" : " entries";
  return origin === "string" ? " letters" : "";
}

/** @example or(["a", "b", "c"]) // "a, b or c" */
function or(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** What stands at a path; of a text that was taken apart, the text. */
function at(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "string" ? value : (value as Record<PropertyKey, unknown> | null | undefined)?.[key],
    input,
  );
}

const LONGEST = 80;

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
