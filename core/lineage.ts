import type { LockedBase } from "./base.ts";
import type { DefinitionLines } from "./definition-lines.ts";
import type { Finding } from "./finding.ts";
import type { ImageDefinition } from "./image.ts";

/** What the lineage needs of an image: its definition and where it stands. */
export interface LineageNode {
  readonly definition: ImageDefinition;
  /** The file that defines it, for findings. */
  readonly file: string;
  /** Where the definition's keys stand in it. */
  readonly lines?: DefinitionLines;
}

/** An image whose definition can't be read as a whole, as far as it names its base. */
export interface UnreadBase {
  readonly name: string;
  readonly base: string;
  /** Where it says so. */
  readonly where: NonNullable<Finding["where"]>;
}

/** @example "images/web/image.ts:4" */
function placeOf({ file, line }: NonNullable<Finding["where"]>): string {
  return line === undefined ? file : `${file}:${line}`;
}

/** Where a key of a node's definition stands. */
function whereOf({ file, lines }: LineageNode, key: string): NonNullable<Finding["where"]> {
  const line = lines?.[key];
  return { file, ...(line === undefined ? {} : { line }) };
}

/** The images that an image is made from: its base and the images it reads, as far as they are definitions. */
export function parents(definition: ImageDefinition, names: ReadonlySet<string>): string[] {
  const reads = Object.values(definition.contexts ?? {}).flatMap((c) => ("image" in c ? [c.image] : []));
  return [definition.base, ...reads].filter((name) => names.has(name));
}

/**
 * Checks the graph that the bases make: every problem at once.
 * @param unread names of images whose definitions can't be read: whatever is wrong about them is told elsewhere
 * @param unreadBases what these name as their bases: an unknown one is told with the rest, not when the rest is mended
 * Rules: `lineage/duplicate`, `lineage/unknown-base`, `lineage/unknown-context`, `lineage/platform`, `lineage/cycle`.
 */
export function checkLineage(
  nodes: readonly LineageNode[],
  bases: readonly LockedBase[],
  unread: readonly string[] = [],
  unreadBases: readonly UnreadBase[] = [],
): Finding[] {
  const byName = Map.groupBy(nodes, (n) => n.definition.name);
  const external = new Map(bases.map((b) => [b.name, b]));
  const known = [...byName.keys(), ...external.keys()].toSorted();
  const findings: Finding[] = [];
  for (const [name, same] of byName) {
    if (same.length < 2) continue;
    findings.push({
      rule: "lineage/duplicate",
      severity: "error",
      subject: name,
      message: `one image is defined ${same.length} times: ${same.map((n) => placeOf(whereOf(n, "name"))).join(", ")}`,
      fix: "keep one definition, or give each a name of its own",
      where: whereOf(same[1] as LineageNode, "name"),
    });
  }
  const unknownBase = (base: string) => ({
    rule: "lineage/unknown-base",
    severity: "error" as const,
    message: `base "${base}" is neither an image of the catalogue nor a base of images/bases.lock.json`,
    fix: `write one of: ${known.join(", ")}${hint(base, known)}`,
  });
  for (const { name, base, where } of unreadBases)
    if (!known.includes(base) && !unread.includes(base)) findings.push({ ...unknownBase(base), subject: name, where });
  for (const node of nodes) {
    const { definition } = node;
    const at = { subject: definition.name, severity: "error" as const, where: whereOf(node, "base") };
    const base = byName.get(definition.base)?.[0]?.definition ?? external.get(definition.base);
    if (base === undefined) {
      if (unread.includes(definition.base)) continue;
      findings.push({ ...at, ...unknownBase(definition.base) });
    } else {
      const lacking = definition.platforms.filter((p) => !base.platforms.includes(p));
      if (lacking.length > 0)
        findings.push({
          ...at,
          rule: "lineage/platform",
          where: whereOf(node, "platforms"),
          message: `is wanted for ${lacking.join(", ")}, which its base "${definition.base}" lacks (it has ${base.platforms.join(", ")})`,
          fix: `add the platform to "${definition.base}", or take it from this image's platforms`,
        });
    }
    findings.push(...checkTaken(node, external));
    for (const [key, source] of Object.entries(definition.contexts ?? {})) {
      if (!("image" in source) || byName.has(source.image) || unread.includes(source.image)) continue;
      findings.push({
        ...at,
        rule: "lineage/unknown-context",
        where: whereOf(node, "contexts"),
        message: `context "${key}" names image "${source.image}", which is not in the catalogue`,
        fix: `write one of: ${[...byName.keys()].toSorted().join(", ")}${hint(source.image, known)}`,
      });
    }
  }
  for (const cycle of findCycles(nodes)) {
    const first = cycle[0] as string;
    const [node, ...others] = cycle.map((name) => nodes.find((n) => n.definition.name === name));
    const places = others.flatMap((other) => (other === undefined ? [] : [placeOf(whereOf(other, "base"))]));
    findings.push({
      rule: "lineage/cycle",
      severity: "error",
      subject: first,
      message: `images are built from each other: ${[...cycle, first].join(" → ")}${places.length > 0 ? ` (${places.join(", ")})` : ""}`,
      fix: "give one of them another base",
      ...(node === undefined ? {} : { where: whereOf(node, "base") }),
    });
  }
  return findings;
}

/** Contexts that are external bases: each has to be locked, for the image's platforms, and to have a lock that stands in for it. */
function checkTaken(node: LineageNode, external: ReadonlyMap<string, LockedBase>): Finding[] {
  const { definition } = node;
  const findings: Finding[] = [];
  for (const [key, source] of Object.entries(definition.contexts ?? {})) {
    if (!("base" in source)) continue;
    const at = { subject: definition.name, severity: "error" as const, where: whereOf(node, "contexts") };
    const base = external.get(source.base);
    const bases = [...external.keys()].toSorted();
    const lacking = definition.platforms.filter((p) => base?.platforms.includes(p) === false);
    if (base === undefined)
      findings.push({
        ...at,
        rule: "lineage/unknown-context",
        message: `context "${key}" names base "${source.base}", which images/bases.lock.json does not have`,
        fix: `write one of: ${bases.join(", ")}${hint(source.base, bases)}`,
      });
    else if (lacking.length > 0)
      findings.push({
        ...at,
        rule: "lineage/platform",
        message: `is wanted for ${lacking.join(", ")}, which "${source.base}" of context "${key}" lacks (it has ${base.platforms.join(", ")})`,
        fix: "take the platform from this image's platforms",
      });
    const locks = Object.entries(definition.contexts ?? {}).flatMap(([name, c]) => ("lock" in c ? [name] : []));
    if (!locks.includes(source.else))
      findings.push({
        ...at,
        rule: "lineage/unknown-context",
        message: `context "${key}" has "${source.else}" in its place where ${source.base} can't be had, which is no lock of its contexts`,
        fix: locks.length === 0 ? "give it one" : `write one of: ${locks.join(", ")}${hint(source.else, locks)}`,
      });
  }
  return findings;
}

/**
 * Images in build order: each after all that it is made from; among equals by name, so that the order never depends on
 * how the catalogue was read. Images on a cycle are left out (`checkLineage` reports them).
 */
export function buildOrder(definitions: readonly ImageDefinition[]): ImageDefinition[] {
  const byName = new Map(definitions.map((d) => [d.name, d]));
  const names = new Set(byName.keys());
  const waiting = new Map<string, number>();
  const children = new Map<string, string[]>();
  for (const d of byName.values()) {
    const from = new Set(parents(d, names));
    waiting.set(d.name, from.size);
    for (const p of from) children.set(p, [...(children.get(p) ?? []), d.name]);
  }
  const order: ImageDefinition[] = [];
  let ready = [...names].filter((n) => waiting.get(n) === 0).toSorted();
  while (ready.length > 0) {
    const next: string[] = [];
    for (const name of ready) {
      order.push(byName.get(name) as ImageDefinition);
      for (const child of children.get(name) ?? []) {
        const left = (waiting.get(child) as number) - 1;
        waiting.set(child, left);
        if (left === 0) next.push(child);
      }
    }
    ready = next.toSorted();
  }
  return order;
}

/** The named images and all that they are built from, as far as they are definitions. */
export function withAncestors(definitions: readonly ImageDefinition[], of: readonly string[]): Set<string> {
  const byName = new Map(definitions.map((d) => [d.name, d]));
  const names = new Set(byName.keys());
  const found = new Set<string>();
  const add = (name: string) => {
    const definition = byName.get(name);
    if (definition === undefined || found.has(name)) return;
    found.add(name);
    parents(definition, names).forEach(add);
  };
  of.forEach(add);
  return found;
}

/** All images that are built from the named ones, through any number of steps, the named ones not counted. */
export function descendants(definitions: readonly ImageDefinition[], of: readonly string[]): Set<string> {
  const names = new Set(definitions.map((d) => d.name));
  const found = new Set<string>();
  for (const d of buildOrder(definitions))
    if (parents(d, names).some((p) => of.includes(p) || found.has(p))) found.add(d.name);
  return found;
}

function findCycles(nodes: readonly LineageNode[]): string[][] {
  const definitions = new Map(nodes.map((n) => [n.definition.name, n.definition]));
  const names = new Set(definitions.keys());
  const done = new Set(buildOrder([...definitions.values()]).map((d) => d.name));
  const cycles: string[][] = [];
  const path: string[] = [];
  // Depth first: each parent that is still on the path closes a cycle of its own.
  const follow = (name: string): void => {
    path.push(name);
    for (const parent of parents(definitions.get(name) as ImageDefinition, names)) {
      if (path.includes(parent)) cycles.push(path.slice(path.indexOf(parent)));
      else if (!done.has(parent)) follow(parent);
    }
    path.pop();
    done.add(name);
  };
  for (const start of [...names].toSorted()) if (!done.has(start)) follow(start);
  return cycles;
}

/** `; did you mean "x"?` where a known name is near: at most two letters away. */
export function hint(found: string, known: readonly string[]): string {
  const near = known
    .filter((k) => k !== found)
    .map((k) => [editDistance(found.toLowerCase(), k.toLowerCase()), k] as const)
    .filter(([d]) => d <= 2);
  const best = near.toSorted(([a, x], [b, y]) => a - b || (x < y ? -1 : 1))[0];
  return best === undefined ? "" : `; did you mean "${best[1]}"?`;
}

/** Damerau's distance: letters added, left out, replaced, or changed with the next. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? (before[j - 2] as number) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(substitution, swap, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    [before, row] = [row, next];
  }
  return row[b.length] as number;
}
