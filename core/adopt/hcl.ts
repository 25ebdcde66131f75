import { MAX_VALUE } from "./pattern.ts";

/** A value of an HCL file. `*` in a text stands for what was not evaluated. */
export type HclValue = string | boolean | null | readonly HclValue[] | { readonly [name: string]: HclValue };

/** An expression, kept until all variables are known. */
export type HclExpression =
  | { readonly kind: "text"; readonly parts: readonly (string | HclExpression)[] }
  | { readonly kind: "literal"; readonly value: string | boolean | null }
  | { readonly kind: "name"; readonly path: string }
  | { readonly kind: "list"; readonly items: readonly HclExpression[] }
  | { readonly kind: "object"; readonly entries: readonly (readonly [string, HclExpression])[] }
  | { readonly kind: "unread"; readonly text: string };

export interface HclBlock {
  readonly type: string;
  readonly labels: readonly string[];
  readonly line: number;
  readonly attributes: ReadonlyMap<string, { readonly value: HclExpression; readonly line: number }>;
}

export interface HclFile {
  readonly blocks: readonly HclBlock[];
  readonly attributes: ReadonlyMap<string, HclExpression>;
  /** Lines of expressions that were stepped over: functions, conditions, loops. */
  readonly unread: readonly { readonly line: number; readonly text: string }[];
}

/** Reads HCL as bake files use it. Tolerant: what it does not know it steps over and lists in `unread`. */
export function readHcl(text: string): HclFile {
  return new HclReader(text).file();
}

/** An expression's value; names are looked up, `*` where one is unknown. */
export function evaluateHcl(expression: HclExpression, lookup: (path: string) => HclValue | undefined): HclValue {
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "name":
      return lookup(expression.path) ?? "*";
    case "unread":
      return "*";
    case "list":
      return expression.items.map((item) => evaluateHcl(item, lookup));
    case "object":
      return Object.fromEntries(expression.entries.map(([name, value]) => [name, evaluateHcl(value, lookup)]));
    case "text": {
      const [only] = expression.parts;
      if (expression.parts.length === 1 && typeof only === "object") return evaluateHcl(only, lookup);
      let text = "";
      for (const part of expression.parts) {
        text += typeof part === "string" ? part : hclText(evaluateHcl(part, lookup));
        if (text.length > MAX_VALUE) return "*";
      }
      return text;
    }
  }
}

/** A value as text; lists and objects have none. */
export function hclText(value: HclValue | undefined): string {
  if (typeof value === "string") return value;
  return typeof value === "boolean" ? String(value) : value === null ? "" : "*";
}

const NAME = /[A-Za-z_][\w-]*/y;
const PATH = /[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*|\[(?:\d+|"[^"]*")\])*/y;
const NUMBER = /-?\d+(?:\.\d+)?/y;
const GAP = /(?:[ \t\r\n,]|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))+/y;
const INLINE_GAP = /(?:[ \t\r]|\/\*[\s\S]*?(?:\*\/|$))+/y;
const MAX_DEPTH = 60;

class HclReader {
  private readonly text: string;
  private pos = 0;
  private readonly unread: { line: number; text: string }[] = [];
  private counted = { pos: 0, line: 1 };

  constructor(text: string) {
    this.text = text;
  }

  file(): HclFile {
    const blocks: HclBlock[] = [];
    const attributes = this.body(blocks, 0);
    return {
      blocks,
      attributes: new Map([...attributes].map(([name, { value }]) => [name, value])),
      unread: this.unread,
    };
  }

  private body(blocks: HclBlock[], depth: number): Map<string, { value: HclExpression; line: number }> {
    const attributes = new Map<string, { value: HclExpression; line: number }>();
    while (true) {
      this.match(GAP);
      const line = this.line();
      const name = this.match(NAME) ?? this.string();
      if (name === undefined) {
        if (this.pos >= this.text.length || this.text[this.pos] === "}") return attributes;
        this.pos++;
        continue;
      }
      this.match(INLINE_GAP);
      if (this.take("=")) attributes.set(name, { value: this.expression(depth), line });
      else if (depth < MAX_DEPTH) this.block(name, line, blocks, depth);
    }
  }

  private block(type: string, line: number, blocks: HclBlock[], depth: number): void {
    const labels: string[] = [];
    for (
      let label = this.string() ?? this.match(NAME);
      label !== undefined;
      label = this.string() ?? this.match(NAME)
    ) {
      labels.push(label);
      this.match(INLINE_GAP);
    }
    if (!this.take("{")) return;
    const attributes = this.body([], depth + 1);
    this.take("}");
    blocks.push({ type, labels, line, attributes });
  }

  private expression(depth: number): HclExpression {
    this.match(INLINE_GAP);
    const start = this.pos;
    const noted = this.unread.length;
    const value = depth > MAX_DEPTH ? undefined : this.primary(depth + 1);
    this.match(INLINE_GAP);
    // What follows a whole value: a line's end, a comma, a closing bracket, a comment. Else it was part of more.
    if (value !== undefined && /^(?:$|[\n,}\])#:]|\/\/|=(?!=))/.test(this.text.slice(this.pos, this.pos + 2)))
      return value;
    this.pos = start;
    this.unread.length = noted;
    return this.skip();
  }

  private primary(depth: number): HclExpression | undefined {
    const ch = this.text[this.pos];
    if (ch === '"') return { kind: "text", parts: this.template(depth) };
    if (ch === "[") return this.list(depth);
    if (ch === "{") return this.object(depth);
    if (this.text.startsWith("<<", this.pos)) return this.heredoc();
    const number = this.match(NUMBER);
    if (number !== undefined) return { kind: "literal", value: number };
    const path = this.match(PATH);
    if (path === undefined || this.text[this.pos] === "(") return undefined;
    if (path === "true" || path === "false") return { kind: "literal", value: path === "true" };
    return path === "null" ? { kind: "literal", value: null } : { kind: "name", path };
  }

  private list(depth: number): HclExpression | undefined {
    this.pos++;
    const items: HclExpression[] = [];
    while (this.pos < this.text.length) {
      this.match(GAP);
      if (this.take("]")) return { kind: "list", items };
      if (/^for\b/.test(this.text.slice(this.pos, this.pos + 4))) return undefined;
      const before = this.pos;
      items.push(this.expression(depth));
      if (this.pos === before) this.pos++;
    }
    return { kind: "list", items };
  }

  private object(depth: number): HclExpression | undefined {
    this.pos++;
    const entries: [string, HclExpression][] = [];
    while (this.pos < this.text.length) {
      this.match(GAP);
      if (this.take("}")) return { kind: "object", entries };
      if (/^for\b/.test(this.text.slice(this.pos, this.pos + 4))) return undefined;
      const name = this.string() ?? this.match(NAME);
      this.match(INLINE_GAP);
      if (name === undefined || !(this.take("=") || this.take(":"))) return undefined;
      entries.push([name, this.expression(depth)]);
    }
    return { kind: "object", entries };
  }

  /** `"a${b}c"` */
  private template(depth: number): (string | HclExpression)[] {
    const parts: (string | HclExpression)[] = [];
    let literal = "";
    this.pos++;
    while (this.pos < this.text.length) {
      const ch = this.text[this.pos] as string;
      if (ch === '"' || ch === "\n") {
        this.pos++;
        break;
      }
      if (ch === "\\") {
        literal += ESCAPES[this.text[this.pos + 1] ?? ""] ?? this.text[this.pos + 1] ?? "";
        this.pos += 2;
      } else if (this.text.startsWith("$${", this.pos)) {
        literal += "${";
        this.pos += 3;
      } else if (this.text.startsWith("${", this.pos)) {
        if (literal !== "") parts.push(literal);
        literal = "";
        parts.push(this.interpolation(depth));
      } else {
        literal += ch;
        this.pos++;
      }
    }
    if (literal !== "" || parts.length === 0) parts.push(literal);
    return parts;
  }

  private interpolation(depth: number): HclExpression {
    this.pos += 2;
    this.match(INLINE_GAP);
    const start = this.pos;
    const noted = this.unread.length;
    const value = depth > MAX_DEPTH ? undefined : this.primary(depth + 1);
    this.match(INLINE_GAP);
    if (value !== undefined && this.take("}")) return value;
    this.pos = start;
    this.unread.length = noted;
    const skipped = this.skip();
    this.take("}");
    return skipped;
  }

  private heredoc(): HclExpression {
    const head = /<<-?([A-Za-z_]\w*)[^\n]*\n/y;
    head.lastIndex = this.pos;
    const found = head.exec(this.text);
    if (!found) return this.skip();
    const from = this.pos + found[0].length;
    const end = new RegExp(`^[ \\t]*${found[1]}[ \\t\\r]*$`, "m").exec(this.text.slice(from));
    this.pos = end ? from + end.index + end[0].length : this.text.length;
    return { kind: "unread", text: "" };
  }

  /** Steps over an expression: to the end of its line, or to the bracket or comma that ends it. */
  private skip(): HclExpression {
    const start = this.pos;
    const line = this.line();
    let depth = 0;
    for (; this.pos < this.text.length; this.pos++) {
      const ch = this.text[this.pos] as string;
      if (ch === '"') {
        this.template(MAX_DEPTH + 1);
        this.pos--;
      } else if ("([{".includes(ch)) depth++;
      else if (")]}".includes(ch)) {
        if (depth === 0) break;
        depth--;
      } else if (depth === 0 && (ch === "\n" || ch === ",")) break;
    }
    const text = this.text.slice(start, this.pos).trim().replace(/\s+/g, " ").slice(0, 80);
    if (text !== "") this.unread.push({ line, text });
    return { kind: "unread", text };
  }

  /** A quoted text without interpolation, as labels and keys are. */
  private string(): string | undefined {
    const quoted = /"((?:[^"\\\n]|\\.)*)"/y;
    quoted.lastIndex = this.pos;
    const found = quoted.exec(this.text);
    if (!found) return undefined;
    this.pos += found[0].length;
    return found[1];
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.pos;
    const found = pattern.exec(this.text)?.[0];
    this.pos += found?.length ?? 0;
    return found;
  }

  private take(mark: string): boolean {
    if (!this.text.startsWith(mark, this.pos)) return false;
    this.pos += mark.length;
    return true;
  }

  /** Line of the position; counted on from where it was asked for last. */
  private line(): number {
    if (this.pos < this.counted.pos) this.counted = { pos: 0, line: 1 };
    let { pos, line } = this.counted;
    for (; pos < this.pos && pos < this.text.length; pos++) if (this.text[pos] === "\n") line++;
    this.counted = { pos, line };
    return line;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };
