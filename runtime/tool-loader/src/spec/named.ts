import { LoaderError } from "../error.ts";
import type { ToolSpec } from "./tool-spec.ts";

/** The spec of a name that a user or a job gave. */
export function specNamed(specs: ReadonlyMap<string, ToolSpec>, name: string): ToolSpec {
  const spec = specs.get(name);
  if (spec !== undefined) return spec;
  throw new LoaderError(
    `there is no tool ${JSON.stringify(name)}`,
    `name one of ${[...specs.keys()].toSorted().join(", ")}`,
  );
}
