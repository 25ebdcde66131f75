import type { z } from "zod";
import { UserError } from "../../core/error.ts";
import type { Values } from "./values.ts";
import { UNKNOWN, type Value } from "./wire.ts";

/** Something wrong with the inputs. @example { property: "tags[0]", reason: "expected a tag, found …" } */
export interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}

/** All that is wrong with the inputs; what stands at or below an unknown value is taken as right. */
export function findFailures(schema: z.ZodType, values: Values): CheckFailure[] {
  const parsed = schema.safeParse(values);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) =>
    leaves(issue).flatMap(({ path, message }) =>
      crossesUnknown(values, path) ? [] : [{ property: propertyPath(path), reason: message }],
    ),
  );
}

/**
 * The inputs as the schema types them. Unknown values pass as they are: who reads one must ask {@link UNKNOWN} first.
 * @throws UserError where the inputs are wrong, which `Check` has said before.
 */
export function readInputs<T>(schema: z.ZodType<T>, values: Values): T {
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const failures = findFailures(schema, values);
  if (failures.length === 0) return values as T; // nothing but unknown values
  throw new UserError(
    failures.map(({ property, reason }) => `${property}: ${reason}`).join("; "),
    "correct these inputs",
  );
}

interface Leaf {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** A union's issue holds those of its members: the ones of the member that came nearest count. */
function leaves(issue: z.core.$ZodIssue): Leaf[] {
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return [issue];
  const nearest = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? [];
  return nearest.flatMap((inner) => leaves({ ...inner, path: [...issue.path, ...inner.path] }));
}

function crossesUnknown(values: Values, path: readonly PropertyKey[]): boolean {
  let value: Value | undefined = values as { [key: string]: Value };
  for (const key of path) {
    if (value === UNKNOWN) return true;
    if (typeof value !== "object" || value === null) return false;
    value = (value as Record<PropertyKey, Value>)[key];
  }
  return value === UNKNOWN;
}

/** A path as Pulumi writes them. @example propertyPath(["tags", 0]) // "tags[0]" */
function propertyPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}
