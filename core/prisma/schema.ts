/** Where something stands in a schema: offsets into its text, the end exclusive, and its line from 1. */
export interface PrismaSpan {
  readonly start: number;
  readonly end: number;
  readonly line: number;
}

/** A value of a `generator` or `datasource` block. */
export type PrismaValue = PrismaSpan &
  (
    | { readonly kind: "string"; readonly text: string }
    | { readonly kind: "env"; readonly variable: string }
    | { readonly kind: "list"; readonly items: readonly PrismaValue[] }
    | { readonly kind: "word"; readonly text: string }
  );

export interface PrismaEntry extends PrismaSpan {
  readonly key: string;
  readonly value: PrismaValue;
}

/** A `generator` or `datasource` block. */
export interface PrismaBlock extends PrismaSpan {
  readonly kind: "generator" | "datasource";
  readonly name: string;
  readonly entries: readonly PrismaEntry[];
}

/** What keeps a file from being read, where it is first seen. */
export interface PrismaProblem {
  readonly line: number;
  readonly message: string;
}

/** One `.prisma` file; models, enums, types and views are only held to their brackets and texts. */
export interface PrismaFile {
  /** As findings name it. */
  readonly file: string;
  readonly text: string;
  readonly blocks: readonly PrismaBlock[];
  readonly problem?: PrismaProblem;
}

/** Words that begin a block, as Prisma 4 to 7 know them. */
const KEYWORDS = ["model", "enum", "type", "view", "generator", "datasource"] as const;

/**
 * Reads a Prisma schema, or one file of several.
 * @example parsePrisma('generator client { provider = "prisma-client-js" }', "schema.prisma").blocks[0].name // "client"
 */
export function parsePrisma(text: string, file: string): PrismaFile {
  const reader = new Reader(text);
  try {
    return { file, text, blocks: reader.file() };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { file, text, blocks: [], problem: error.problem };
  }
}

/** An entry of a block. */
export function entryOf(block: PrismaBlock, key: string): PrismaEntry | undefined {
  return block.entries.find((entry) => entry.key === key);
}

/** The texts of a list, or of a single value, which Prisma takes for a list of one; none for what is no text. */
export function textsOf(value: PrismaValue | undefined): string[] {
  if (value === undefined) return [];
  if (value.kind === "list") return value.items.flatMap((item) => textsOf(item));
  return value.kind === "string" ? [value.text] : [];
}

/** The text of an entry that is one. */
export function textOf(block: PrismaBlock, key: string): string | undefined {
  const value = entryOf(block, key)?.value;
  return value?.kind === "string" ? value.text : undefined;
}

class Unreadable extends Error {
  readonly problem: PrismaProblem;
  constructor(line: number, message: string) {
    super(message);
    this.problem = { line, message };
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  file(): PrismaBlock[] {
    const blocks: PrismaBlock[] = [];
    if (this.#text.startsWith("\uFEFF")) this.#at = 1;
    for (this.#blank(); this.#at < this.#text.length; this.#blank()) {
      const start = this.#at;
      const keyword = this.#word();
      if (!isKeyword(keyword))
        this.#fail(`expected ${KEYWORDS.join(", ")}, found ${keyword === "" ? this.#here() : `"${keyword}"`}`, start);
      this.#space();
      const name = this.#word();
      if (name === "") this.#fail(`expected the name of the ${keyword}, found ${this.#here()}`);
      this.#space();
      if (keyword === "type" && this.#text[this.#at] === "=") this.#line();
      else if (this.#text[this.#at] !== "{") this.#fail(`expected "{" after ${keyword} ${name}, found ${this.#here()}`);
      else if (keyword !== "generator" && keyword !== "datasource") this.#body(`${keyword} ${name}`, start);
      else blocks.push(this.#block(keyword, name, start));
    }
    return blocks;
  }

  #block(kind: PrismaBlock["kind"], name: string, start: number): PrismaBlock {
    const entries: PrismaEntry[] = [];
    this.#at++;
    for (this.#blank(); this.#text[this.#at] !== "}"; this.#blank()) {
      if (this.#at >= this.#text.length) this.#fail(`${kind} ${name} has no closing "}"`, start);
      const from = this.#at;
      const key = this.#word();
      if (key === "") this.#fail(`expected a key of ${kind} ${name}, found ${this.#here()}`);
      if (entries.some((entry) => entry.key === key)) this.#fail(`${kind} ${name} has "${key}" twice`, from);
      this.#space();
      if (this.#text[this.#at] !== "=") this.#fail(`expected "=" after ${key}, found ${this.#here()}`);
      this.#at++;
      this.#space();
      const value = this.#value(key);
      entries.push({ key, value, ...this.#span(from) });
      this.#end(kind, name);
    }
    this.#at++;
    return { kind, name, entries, ...this.#span(start) };
  }

  /** After an entry: the end of its line, or of its block. */
  #end(kind: string, name: string): void {
    this.#space();
    const rest = this.#text.slice(this.#at, this.#at + 2);
    if (rest === "" || rest.startsWith("}") || rest === "//" || rest === "/*" || /^[\r\n]/.test(rest)) return;
    this.#fail(`expected the end of the line in ${kind} ${name}, found ${this.#here()}`);
  }

  #value(key: string): PrismaValue {
    const from = this.#at;
    const first = this.#text[from];
    if (first === '"') {
      const text = this.#string();
      return { kind: "string", text, ...this.#span(from) };
    }
    if (first === "[") return this.#list(key);
    const text = this.#word(/[\w.+-]/);
    if (text === "") this.#fail(`expected a value of ${key}, found ${this.#here()}`);
    if (this.#text[this.#at] !== "(") return { kind: "word", text, ...this.#span(from) };
    this.#at++;
    this.#blank();
    const isText = this.#text[this.#at] === '"';
    if (text !== "env" || !isText) this.#fail(`expected env("NAME") as the value of ${key}, found ${text}(…)`, from);
    const variable = this.#string();
    this.#blank();
    if (this.#text[this.#at] !== ")") this.#fail(`expected ")" after env("${variable}"`);
    this.#at++;
    return { kind: "env", variable, ...this.#span(from) };
  }

  #list(key: string): PrismaValue {
    const from = this.#at++;
    const items: PrismaValue[] = [];
    for (this.#blank(); this.#text[this.#at] !== "]"; this.#blank()) {
      if (this.#at >= this.#text.length) this.#fail(`the list of ${key} has no closing "]"`, from);
      items.push(this.#value(key));
      this.#blank();
      const next = this.#text[this.#at];
      if (next === ",") this.#at++;
      else if (next !== "]") this.#fail(`expected "," or "]" in the list of ${key}, found ${this.#here()}`);
    }
    this.#at++;
    return { kind: "list", items, ...this.#span(from) };
  }

  /** A block that is not looked into. None of them has braces inside: another one is a block that was begun too early. */
  #body(what: string, start: number): void {
    this.#at++;
    for (this.#blank(); this.#text[this.#at] !== "}"; this.#blank()) {
      const next = this.#text[this.#at];
      if (next === undefined || next === "{") this.#fail(`${what} has no closing "}"`, start);
      if (next === '"') this.#string();
      else this.#at++;
    }
    this.#at++;
  }

  /** Inside its quotes, escapes resolved. */
  #string(): string {
    const from = this.#at;
    const match = /"((?:[^"\\\r\n]|\\[^\r\n])*)"/y;
    match.lastIndex = from;
    const found = match.exec(this.#text);
    if (found === null) this.#fail("a text has no closing quote", from);
    this.#at = match.lastIndex;
    return (found?.[1] ?? "").replace(/\\(.)/g, (_, c: string) => ({ n: "\n", t: "\t", r: "\r" })[c] ?? c);
  }

  #word(letters = /[\w-]/): string {
    const from = this.#at;
    while (letters.test(this.#text[this.#at] ?? "")) this.#at++;
    return this.#text.slice(from, this.#at);
  }

  #space(): void {
    while (/[ \t]/.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  #line(): void {
    while (this.#at < this.#text.length && this.#text[this.#at] !== "\n") this.#at++;
  }

  /** White space and comments. */
  #blank(): void {
    for (;;) {
      while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
      if (this.#text.startsWith("//", this.#at)) this.#line();
      else if (this.#text.startsWith("/*", this.#at)) {
        const end = this.#text.indexOf("*/", this.#at + 2);
        if (end < 0) this.#fail("a comment has no closing */");
        this.#at = end + 2;
      } else return;
    }
  }

  #here(): string {
    const rest = this.#text.slice(this.#at, this.#at + 12).split(/\s/)[0];
    return rest ? JSON.stringify(rest) : this.#at >= this.#text.length ? "the end of the file" : "the end of the line";
  }

  #span(start: number): PrismaSpan {
    return { start, end: this.#at, line: this.#lineOf(start) };
  }

  #lineOf(offset: number): number {
    return this.#text.slice(0, offset).split("\n").length;
  }

  #fail(message: string, at = this.#at): never {
    throw new Unreadable(this.#lineOf(at), message);
  }
}

function isKeyword(word: string): word is (typeof KEYWORDS)[number] {
  return (KEYWORDS as readonly string[]).includes(word);
}
