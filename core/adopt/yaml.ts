import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";

/** Values of one file that are looked at: aliases can multiply a few lines into billions. */
const MAX_VALUES = 500_000;

interface Source {
  readonly lines: LineCounter;
  readonly targets: ReadonlyMap<Alias, Node>;
  /** Values that may still be looked at. */
  left: number;
}

/** One value of a YAML file with its line. */
export class YamlValue {
  /** Equal for equal places of the file: what an alias repeats need not be read again. */
  readonly node: Node | undefined;
  private readonly source: Source;

  constructor(node: unknown, source: Source) {
    const target = isAlias(node) ? source.targets.get(node) : node;
    this.node = isNode(target) ? target : undefined;
    this.source = source;
  }

  /** From 1. */
  get line(): number {
    const start = this.node?.range?.[0];
    return start === undefined ? 1 : Math.max(1, this.source.lines.linePos(start).line);
  }

  /** Line of the text itself: a block scalar's first content line stands below its `|`. */
  get textLine(): number {
    const block = isScalar(this.node) && (this.node.type === "BLOCK_LITERAL" || this.node.type === "BLOCK_FOLDED");
    return block ? this.line + 1 : this.line;
  }

  /** Line of the text's nth line, from 0: in a quoted text line breaks may be written as escapes. */
  textLineAt(nth: number): number {
    return isScalar(this.node) && this.node.type === "BLOCK_LITERAL" ? this.textLine + nth : this.textLine;
  }

  /** The value of a key; merge keys (`<<`) are followed. */
  get(key: string): YamlValue | undefined {
    return this.entries().find(([name]) => name === key)?.[1];
  }

  /**
   * Keys and values of a mapping in the file's order; empty for anything else.
   * @throws RangeError when aliases multiply the file's values without end.
   */
  entries(depth = 0): [string, YamlValue][] {
    if (!isMap(this.node) || depth > 8) return [];
    this.count(this.node.items.length);
    const own = new Map<string, YamlValue>();
    const merged: YamlValue[] = [];
    for (const { key, value } of this.node.items) {
      const name = isScalar(key) ? String(key.value) : undefined;
      const wrapped = new YamlValue(value, this.source);
      if (name === "<<") merged.push(...(wrapped.isList ? wrapped.items() : [wrapped]));
      else if (name !== undefined) own.set(name, wrapped);
    }
    for (const one of merged)
      for (const [name, value] of one.entries(depth + 1)) if (!own.has(name)) own.set(name, value);
    return [...own];
  }

  /**
   * Items of a list; empty for anything else.
   * @throws RangeError when aliases multiply the file's values without end.
   */
  items(): YamlValue[] {
    if (!isSeq(this.node)) return [];
    this.count(this.node.items.length);
    return this.node.items.map((item) => new YamlValue(item, this.source));
  }

  private count(values: number): void {
    this.source.left -= values;
    if (this.source.left < 0) throw new RangeError("the file has too many values");
  }

  /** The tag before the value. @example "!reference" */
  get tag(): string | undefined {
    return this.node !== undefined && "tag" in this.node ? this.node.tag : undefined;
  }

  get isList(): boolean {
    return isSeq(this.node);
  }

  get isMap(): boolean {
    return isMap(this.node);
  }

  /** Text of a scalar; undefined for null and for anything else. */
  get text(): string | undefined {
    if (!isScalar(this.node) || this.node.value === null || this.node.value === undefined) return undefined;
    // 0644 and 1.10 as they were written, not as numbers.
    return typeof this.node.value === "string" ? this.node.value : (this.node.source ?? String(this.node.value));
  }
}

/** Deepest nesting that is given to the parser: it needs memory for each level, and people need less than twenty. */
const MAX_DEPTH = 500;

function isTooDeep(text: string): boolean {
  let depth = 0;
  for (const ch of text) {
    if (ch === "[" || ch === "{") depth++;
    else if ((ch === "]" || ch === "}") && depth > 0) depth--;
    if (depth > MAX_DEPTH) return true;
  }
  // - - - a: lists in lists on one line
  return /(?:[-?:][ \t]+){500}/.test(text);
}

/**
 * Reads YAML.
 * @returns the top value, and the first syntax error with its line.
 * @throws RangeError when the text is nested too deep.
 */
export function readYaml(text: string): {
  readonly top: YamlValue;
  readonly error?: { readonly line: number; readonly message: string };
} {
  if (isTooDeep(text)) throw new RangeError("the text is nested too deep");
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: "silent",
  });
  const top = new YamlValue(document.contents, { lines, targets: aliasTargets(document), left: MAX_VALUES });
  const error = document.errors[0];
  if (!error) return { top };
  return { top, error: { line: lines.linePos(error.pos[0]).line || 1, message: error.message.split("\n")[0] ?? "" } };
}

/** What each alias stands for: the last node before it that has its anchor. */
function aliasTargets(document: Document): Map<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, (_, node) => {
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target) targets.set(node, target);
    } else if (isNode(node) && "anchor" in node && node.anchor !== undefined) {
      anchors.set(String(node.anchor), node);
    }
  });
  return targets;
}
