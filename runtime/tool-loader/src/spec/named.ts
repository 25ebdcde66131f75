import { LoaderError } from "../error.ts";
import { didYouMean } from "../near.ts";
import type { ToolSpec } from "./tool-spec.ts";

/** The spec of a name that a user or a job gave. */
export function specNamed(specs: ReadonlyMap<string, ToolSpec>, name: string): ToolSpec {
  return specsNamed(specs, [name])[0] as ToolSpec;
}

/** The specs of several names; those that there are none of are told at once. */
export function specsNamed(specs: ReadonlyMap<string, ToolSpec>, names: readonly string[]): ToolSpec[] {
  const known = [...specs.keys()].toSorted();
  const unknown = names.filter((name) => !specs.has(name));
  if (unknown.length === 0) return names.map((name) => specs.get(name) as ToolSpec);
  throw new LoaderError(
    unknown.map((name) => `there is no tool ${JSON.stringify(name)}${didYouMean(name, known)}`).join("\n  "),
    `name one of ${known.join(", ")}`,
  );
}
