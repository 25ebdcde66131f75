import { posix } from "node:path";
import { dockerfilePaths } from "./docker-cli.ts";
import type { FactList } from "./facts.ts";
import { evaluateHcl, type HclBlock, type HclExpression, type HclValue, hclText, readHcl } from "./hcl.ts";

/** Attributes of a target after inheritance. */
type Target = ReadonlyMap<string, HclExpression>;

const MAX_INHERITANCE = 20;
const MAX_COMBINATIONS = 64;
/** Variables that hold each other twice would be looked up without end. */
const MAX_LOOKUPS = 10_000;

/** Adds the targets of a docker-bake.hcl. */
export function readBakeHcl(file: string, text: string, facts: FactList): void {
  const { blocks, unread } = readHcl(text);
  for (const { line, text: found } of unread) {
    facts.unread.push({ file, line, message: `an expression was not evaluated: ${found}` });
  }
  const variables = new Map(
    blocks.flatMap((block) =>
      block.type === "variable" ? [[block.labels[0] ?? "", block.attributes.get("default")?.value] as const] : [],
    ),
  );
  const targets = new Map(
    blocks.flatMap((block) => (block.type === "target" ? [[block.labels[0] ?? "", block] as const] : [])),
  );
  for (const [name, block] of targets) {
    for (const combination of matrix(block, variables)) {
      addTarget(file, name, block.line, inherited(name, targets, 0), lookup(variables, combination), facts);
    }
  }
}

/** Adds the targets of a docker-bake.json. */
export function readBakeJson(file: string, text: string, facts: FactList): void {
  let top: unknown;
  try {
    top = JSON.parse(text);
  } catch (error) {
    facts.unread.push({
      file,
      line: 1,
      message: `the file is no JSON: ${error instanceof Error ? error.message : ""}`,
    });
    return;
  }
  const variables = new Map(
    Object.entries(section(top, "variable")).map(
      ([name, value]) => [name, literal(section({ value }, "value").default)] as const,
    ),
  );
  const targets = new Map(
    Object.entries(section(top, "target")).map(([name, value]) => {
      const attributes = new Map(
        Object.entries(section({ value }, "value")).map(
          ([key, inner]) => [key, { value: literal(inner) ?? NOTHING, line: 1 }] as const,
        ),
      );
      const line = Math.max(1, text.slice(0, Math.max(0, text.indexOf(`"${name}"`))).split("\n").length);
      return [name, { type: "target", labels: [name], line, attributes }] as const;
    }),
  );
  for (const [name, block] of targets) {
    addTarget(file, name, block.line, inherited(name, targets, 0), lookup(variables, new Map()), facts);
  }
}

const NOTHING: HclExpression = { kind: "literal", value: null };

function section(value: unknown, key: string): Record<string, unknown> {
  const inner =
    typeof value === "object" && value !== null ? Object.entries(value).find(([name]) => name === key)?.[1] : undefined;
  return typeof inner === "object" && inner !== null && !Array.isArray(inner) ? (inner as Record<string, unknown>) : {};
}

function literal(value: unknown): HclExpression | undefined {
  if (value === undefined) return undefined;
  // In JSON's texts ${NAME} is replaced as in HCL's.
  if (typeof value === "string") return readHcl(`x = ${JSON.stringify(value)}`).attributes.get("x");
  if (typeof value === "number") return { kind: "literal", value: String(value) };
  if (typeof value === "boolean" || value === null) return { kind: "literal", value };
  if (Array.isArray(value)) return { kind: "list", items: value.map((item) => literal(item) ?? NOTHING) };
  return {
    kind: "object",
    entries: Object.entries(value as object).map(([name, inner]) => [name, literal(inner) ?? NOTHING]),
  };
}

function inherited(name: string, targets: ReadonlyMap<string, HclBlock>, depth: number): Target {
  const block = targets.get(name);
  if (!block || depth > MAX_INHERITANCE) return new Map();
  const parents = block.attributes.get("inherits")?.value;
  const merged = new Map<string, HclExpression>();
  const add = (more: Iterable<readonly [string, HclExpression]>) => {
    for (const [key, value] of more) {
      const before = merged.get(key);
      const both = before?.kind === "object" && value.kind === "object";
      merged.set(key, both ? { kind: "object", entries: [...before.entries, ...value.entries] } : value);
    }
  };
  const names =
    parents?.kind === "list" ? parents.items.map((item) => hclText(evaluateHcl(item, () => undefined))) : [];
  for (const parent of names) add(inherited(parent, targets, depth + 1));
  add([...block.attributes].map(([key, { value }]) => [key, value] as const));
  return merged;
}

function lookup(variables: ReadonlyMap<string, HclExpression | undefined>, combination: ReadonlyMap<string, HclValue>) {
  let left = MAX_LOOKUPS;
  const find = (path: string, depth: number): HclValue | undefined => {
    if (--left < 0) return undefined;
    const [head = "", ...rest] = path.split(".");
    const expression = variables.get(head);
    const value =
      combination.get(head) ??
      (expression && depth < MAX_INHERITANCE ? evaluateHcl(expression, (p) => find(p, depth + 1)) : undefined);
    return rest.reduce<HclValue | undefined>((inner, key) => (isObject(inner) ? inner[key] : undefined), value);
  };
  return (path: string) => {
    const value = find(path, 0);
    // An empty default waits for a value from outside.
    return value === "" ? undefined : value;
  };
}

function matrix(
  block: HclBlock,
  variables: ReadonlyMap<string, HclExpression | undefined>,
): ReadonlyMap<string, HclValue>[] {
  const value = block.attributes.get("matrix")?.value;
  if (value?.kind !== "object") return [new Map()];
  const known = lookup(variables, new Map());
  let all: Map<string, HclValue>[] = [new Map()];
  for (const [name, list] of value.entries) {
    const items = evaluateHcl(list, known);
    if (!Array.isArray(items) || items.length === 0 || all.length * items.length > MAX_COMBINATIONS) continue;
    all = all.flatMap((one) => items.map((item: HclValue) => new Map([...one, [name, item]])));
  }
  return all;
}

function addTarget(
  file: string,
  name: string,
  line: number,
  attributes: Target,
  known: (path: string) => HclValue | undefined,
  facts: FactList,
): void {
  const value = (key: string) => {
    const expression = attributes.get(key);
    return expression && evaluateHcl(expression, known);
  };
  const texts = (key: string) => {
    const list = value(key);
    return Array.isArray(list) ? list.map(hclText) : list === undefined || list === null ? [] : [hclText(list)];
  };
  const record = (key: string) => {
    const object = value(key);
    return isObject(object) ? Object.entries(object) : [];
  };
  // A target that only others inherit from builds nothing of its own.
  if (name.startsWith("_") || value("dockerfile-inline") !== undefined) return;
  const folder = posix.dirname(file) === "." ? "" : posix.dirname(file);
  const context = texts("context")[0] ?? ".";
  const dockerfile = texts("dockerfile")[0];
  const target = texts("target")[0];
  const output = JSON.stringify(value("output") ?? "");
  facts.builds.push({
    file,
    line,
    by: "bake",
    name: attributes.has("matrix") ? hclText(value("name")) : name,
    dockerfiles: dockerfilePaths(
      [...new Set([folder, ""])],
      context,
      dockerfile === undefined ? undefined : `${context}/${dockerfile}`,
    ),
    args: Object.fromEntries(record("args").map(([key, inner]) => [key, inner === null ? undefined : hclText(inner)])),
    contexts: Object.fromEntries(record("contexts").map(([key, inner]) => [key, hclText(inner)])),
    tags: texts("tags"),
    platforms: texts("platforms"),
    pushes: /type=registry|push=true|"registry"/.test(output),
    ...(target === undefined ? {} : { target }),
  });
}

function isObject(value: HclValue | undefined): value is { readonly [name: string]: HclValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
