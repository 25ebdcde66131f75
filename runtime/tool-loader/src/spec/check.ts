import * as z from "zod";
import { LoaderError } from "../error.ts";
import { mistakesIn } from "../mistake.ts";
import { didYouMean } from "../near.ts";
import { directoryOf, specKeys, type ToolSpec, type ToolSpecInput, toolSpecSchema } from "./tool-spec.ts";

/**
 * Reads a set of tool specs and finds every mistake at once.
 * @param known specs that join them, and are not counted: a tool without a name is told by its place among the others
 * @example parseSpecs([{ name: "ck-search", version: "0.8.1", … }])
 * @throws LoaderError with one line a mistake.
 */
export function parseSpecs(input: unknown, where = "the tool specs", known: readonly ToolSpecInput[] = []): ToolSpec[] {
  const list = z.array(z.unknown()).safeParse(input);
  if (!list.success) throw new LoaderError(`${where}: expected a list of tools`, "write a JSON array of tool specs");
  const problems: string[] = [];
  const specs: ToolSpec[] = [];
  const items = [...known, ...list.data];
  for (const [i, item] of items.entries()) {
    const parsed = toolSpecSchema.safeParse(item);
    if (parsed.success) specs.push(parsed.data);
    else
      for (const { path, message } of mistakesIn(parsed.error, item, specKeys))
        problems.push(`${label(item, i - known.length)}${at(path)}: ${message}`);
  }
  // Whose place and commands are whose is checked among the specs that are well formed, names and needs among all.
  problems.push(...relations(specs, items));
  if (problems.length > 0)
    throw new LoaderError(
      `${where}: ${problems.length} ${problems.length === 1 ? "mistake" : "mistakes"}\n${problems.map((p) => `  - ${p}`).join("\n")}`,
      "correct the specs; nothing was loaded",
    );
  return specs;
}

function relations(specs: readonly ToolSpec[], items: readonly unknown[]): string[] {
  const problems: string[] = [];
  const named = items.flatMap((item) => {
    const name = nameIn(item);
    return name === undefined ? [] : [{ name, needs: needsIn(item) }];
  });
  const seen = new Map<string, number>();
  for (const { name } of named) seen.set(name, (seen.get(name) ?? 0) + 1);
  for (const [name, count] of seen) if (count > 1) problems.push(`${name}: is named ${count} times`);
  unique(specs, (s) => [directoryOf(s)], "directory", problems);
  unique(specs, (s) => Object.keys(s.bin), "command", problems);
  for (const { name, needs } of named)
    for (const need of needs) {
      if (need === name) problems.push(`${name}.requires: needs itself`);
      else if (!seen.has(need))
        problems.push(`${name}.requires: there is no tool "${need}"${didYouMean(need, [...seen.keys()])}`);
    }
  for (const spec of specs) {
    for (const platform of spec.platforms) {
      const [prebuilt, checksum] = [spec.prebuilt[platform], spec.checksum[platform]];
      if (prebuilt !== undefined && checksum === undefined)
        problems.push(`${spec.name}.checksum: ${platform} has a prebuilt archive and no checksum`);
      if (prebuilt === undefined && checksum !== undefined)
        problems.push(`${spec.name}.prebuilt: ${platform} has a checksum and nothing to check`);
      if (
        prebuilt === undefined &&
        spec.installCmd.length === 0 &&
        spec.fallbacks.length === 0 &&
        spec.priority !== "immediate"
      )
        problems.push(`${spec.name}.installCmd: is empty, and ${platform} has no prebuilt archive`);
    }
  }
  problems.push(...cycles(new Map(named.map((one) => [one.name, one.needs]))));
  return problems;
}

function unique(specs: readonly ToolSpec[], keys: (s: ToolSpec) => string[], what: string, problems: string[]): void {
  const owners = new Map<string, string[]>();
  for (const spec of specs) for (const key of keys(spec)) owners.set(key, [...(owners.get(key) ?? []), spec.name]);
  for (const [key, of] of owners)
    if (new Set(of).size > 1) problems.push(`${of.join(", ")}: share the ${what} "${key}"`);
}

/** Every tool that any way of installing needs. */
export function needs(spec: ToolSpec): string[] {
  return [...new Set([...spec.requires, ...spec.fallbacks.flatMap((f) => f.requires)])];
}

/** Circles among requirements, each told once; a tool that needs itself is told elsewhere. */
function cycles(needed: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (name: string, path: readonly string[]) => {
    const start = path.indexOf(name);
    if (start >= 0) {
      found.push(`${[...path.slice(start), name].join(" needs ")}: a circle`);
      return;
    }
    const names = needed.get(name);
    if (names === undefined || done.has(name)) return;
    for (const need of names) if (need !== name) visit(need, [...path, name]);
    done.add(name);
  };
  for (const name of needed.keys()) visit(name, []);
  return found;
}

/** Every tool that a spec needs, as far as one that is not well formed tells. @see needs */
function needsIn(item: unknown): string[] {
  const { requires, fallbacks } = item as { requires?: unknown; fallbacks?: unknown };
  const ways = Array.isArray(fallbacks) ? fallbacks.map((way: { requires?: unknown } | null) => way?.requires) : [];
  const texts = [requires, ...ways].flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []));
  return [...new Set(texts.filter((text) => typeof text === "string"))];
}

function nameIn(item: unknown): string | undefined {
  const name = (item as { name?: unknown } | null | undefined)?.name;
  return typeof name === "string" ? name : undefined;
}

function label(item: unknown, index: number): string {
  return nameIn(item) ?? `tool ${index + 1}`;
}

function at(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "" : `.${path.map(String).join(".")}`;
}
