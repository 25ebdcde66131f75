import type { FactList, PortSetting, SizeSetting } from "./facts.ts";
import { quantityOf } from "./units.ts";
import type { YamlValue } from "./yaml.ts";

const PORT_KEYS = new Set(["targetPort", "containerPort", "internalPort"]);

/**
 * Adds what a chart's values say: every `image: name:tag` and `image: { registry, repository, tag, digest }`, with the
 * ports and limits that stand beside it.
 */
export function readValues(file: string, top: YamlValue, facts: FactList): void {
  visit(file, top, facts, "", new Set());
}

function visit(file: string, value: YamlValue, facts: FactList, name: string, seen: Set<unknown>): void {
  // What an alias repeats is read once; it may also hold itself.
  if (seen.has(value.node)) return;
  seen.add(value.node);
  for (const item of value.items()) visit(file, item, facts, name, seen);
  for (const [key, child] of value.entries()) {
    const ref = /image$/i.test(key) ? reference(child) : undefined;
    if (ref === undefined) {
      visit(file, child, facts, key, seen);
      continue;
    }
    const main = key === "image";
    facts.uses.push({
      file,
      line: child.line,
      by: "helm",
      name: main ? name : key,
      ref,
      ports: main ? portsIn(file, value, 0) : [],
      sizes: main ? limits(file, value) : [],
      builtHere: false,
    });
  }
}

function reference(image: YamlValue): string | undefined {
  if (image.text !== undefined) return /^[\w.-]+(?:[/:@][\w./:@-]+)+$/.test(image.text) ? image.text : undefined;
  const repository = image.get("repository")?.text ?? image.get("name")?.text;
  if (repository === undefined || repository === "") return undefined;
  const registry = image.get("registry")?.text;
  const digest = image.get("digest")?.text ?? image.get("sha")?.text;
  const tag = image.get("tag");
  const path = registry === undefined || registry === "" ? repository : `${registry}/${repository}`;
  if (digest !== undefined && digest !== "") return `${path}@${digest.includes(":") ? digest : `sha256:${digest}`}`;
  // Without a tag a chart takes its own appVersion.
  if (path.includes(":", path.lastIndexOf("/"))) return path;
  return `${path}:${tag?.text === undefined || tag.text === "" ? "*" : tag.text}`;
}

function portsIn(file: string, value: YamlValue, depth: number): PortSetting[] {
  if (depth > 3) return [];
  const found = value.entries().flatMap(([key, child]): PortSetting[] => {
    const port = PORT_KEYS.has(key) ? Number(child.text) : Number.NaN;
    if (Number.isInteger(port) && port > 0) return [{ file, line: child.line, port }];
    // Sidecars have ports of their own.
    return child.get("image") ? [] : portsIn(file, child, depth + 1);
  });
  return [...found, ...value.items().flatMap((item) => portsIn(file, item, depth + 1))];
}

function limits(file: string, value: YamlValue): SizeSetting[] {
  const memory = value.get("resources")?.get("limits")?.get("memory");
  const bytes = memory?.text === undefined ? undefined : quantityOf(memory.text);
  if (memory?.text === undefined || bytes === undefined) return [];
  return [{ file, line: memory.line, what: "memory limit", written: memory.text, bytes }];
}
