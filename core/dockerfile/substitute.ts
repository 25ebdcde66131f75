import { isSpace } from "./chars.ts";
import type { Escape } from "./model.ts";
import { cutPrefix, cutSuffix, shellPattern } from "./pattern.ts";

/** Values of variables; undefined for one that is not set. */
export type Lookup = (name: string) => string | undefined;

export type Substitution =
  | {
      readonly ok: true;
      readonly value: string;
      /** The value split at blanks that are neither quoted nor escaped. */
      readonly words: readonly string[];
      /** Names that are not set and have no word in their place, in the order in which they were read. */
      readonly missing: readonly string[];
      /** Names that are set and were read. */
      readonly used: readonly string[];
    }
  | { readonly ok: false; readonly message: string };

interface Options {
  /** Keep quotes in the result. */
  readonly rawQuotes: boolean;
  /** Keep escape characters in the result. */
  readonly rawEscapes: boolean;
  /** Leave `$name` standing where the name is not set; otherwise it is empty. */
  readonly keepUnset: boolean;
}

const PLAIN: Options = { rawQuotes: false, rawEscapes: false, keepUnset: false };

/**
 * Replaces variables and takes quotes and escapes away, as the builder does in FROM, COPY, ENV and the like:
 * `$x ${x} ${x:-d} ${x-d} ${x:+a} ${x+a} ${x:?e} ${x?e} ${x#p} ${x##p} ${x%p} ${x%%p} ${x/p/r} ${x//p/r}`.
 * @example substitute("debian:${TAG:-bookworm}", () => undefined, "\\") // { ok: true, value: "debian:bookworm", … }
 */
export function substitute(
  text: string,
  lookup: Lookup,
  escapeToken: Escape,
  options: Partial<Options> = {},
): Substitution {
  const reader = new Reader(text, lookup, escapeToken, { ...PLAIN, ...options });
  try {
    const { value, words } = reader.readTo("", reader.options.rawEscapes);
    return { ok: true, value, words, missing: [...reader.missing], used: [...reader.used] };
  } catch (error) {
    if (error instanceof BadSubstitution) return { ok: false, message: error.message };
    throw error;
  }
}

/** Never leaves this file. */
class BadSubstitution extends Error {}

/** Nobody nests deeper by hand; a file made to exhaust the stack does. */
const MAX_DEPTH = 200;
/** Longest value, characters: variables that hold each other twice grow without end. */
const MAX_LENGTH = 65_536;
const ALPHANUMERIC = /[\p{L}\p{Nd}_]/u;
const DIGIT = /\p{Nd}/u;
const SPECIAL = new Set("@*#?-$!0");

class Reader {
  readonly missing = new Set<string>();
  readonly used = new Set<string>();
  readonly options: Options;
  private readonly chars: readonly string[];
  private readonly lookup: Lookup;
  private readonly escapeToken: Escape;
  private pos = 0;
  private rawEscapes = false;
  private depth = 0;

  constructor(text: string, lookup: Lookup, escapeToken: Escape, options: Options) {
    this.chars = [...text];
    this.lookup = lookup;
    this.escapeToken = escapeToken;
    this.options = options;
  }

  /** Reads up to `stop`, or to the end for an empty `stop`. */
  readTo(stop: string, rawEscapes: boolean): { value: string; words: string[] } {
    if (++this.depth > MAX_DEPTH) throw new BadSubstitution("${ is nested too deep");
    const outer = this.rawEscapes;
    this.rawEscapes = rawEscapes;
    let value = "";
    const words = new Words();
    for (let ch = this.peek(); ch !== ""; ch = this.peek()) {
      if (ch === stop) {
        this.pos++;
        this.rawEscapes = outer;
        this.depth--;
        return { value, words: words.end() };
      }
      if (ch === "$") {
        const part = this.dollar();
        if (value.length + part.length > MAX_LENGTH) throw new BadSubstitution("the value is too long");
        value += part;
        words.addSplit(part);
      } else if (ch === "'" || ch === '"' || ch === "<") {
        const part = ch === "'" ? this.singleQuoted() : ch === '"' ? this.doubleQuoted() : this.maybeHeredoc();
        value += part;
        words.add(part);
      } else if (ch === this.escapeToken) {
        this.pos++;
        const escaped = this.next();
        const part = (this.rawEscapes ? ch : "") + escaped;
        value += part;
        words.add(part);
      } else {
        this.pos++;
        value += ch;
        words.addSplit(ch);
      }
    }
    if (stop !== "") throw new BadSubstitution(`a closing ${stop} is missing`);
    return { value, words: words.end() };
  }

  private peek(): string {
    return this.chars[this.pos] ?? "";
  }

  private next(): string {
    return this.chars[this.pos++] ?? "";
  }

  private singleQuoted(): string {
    this.pos++;
    let out = "";
    for (let ch = this.next(); ch !== "'"; ch = this.next()) {
      if (ch === "") throw new BadSubstitution("a closing single quote is missing");
      out += ch;
    }
    return this.options.rawQuotes ? `'${out}'` : out;
  }

  private doubleQuoted(): string {
    this.pos++;
    let out = "";
    for (let ch = this.peek(); ch !== '"'; ch = this.peek()) {
      if (ch === "") throw new BadSubstitution("a closing double quote is missing");
      if (ch === "$") {
        out += this.dollar();
        if (out.length > MAX_LENGTH) throw new BadSubstitution("the value is too long");
        continue;
      }
      this.pos++;
      if (ch !== this.escapeToken) {
        out += ch;
        continue;
      }
      if (this.rawEscapes) out += ch;
      const after = this.peek();
      if (after === "") continue;
      out += after === '"' || after === "$" || after === this.escapeToken ? this.next() : ch;
    }
    this.pos++;
    return this.options.rawQuotes ? `"${out}"` : out;
  }

  /** `<<` keeps the blanks after it: they belong to the here-document's word. */
  private maybeHeredoc(): string {
    this.pos++;
    if (this.peek() !== "<") return "<";
    this.pos++;
    let out = "<<";
    while (/^[\t\r ]$/.test(this.peek())) out += this.next();
    return out;
  }

  private dollar(): string {
    this.pos++;
    if (this.peek() !== "{") {
      const name = this.name();
      if (name === "") return "$";
      return this.get(name) ?? (this.options.keepUnset ? `$${name}` : "");
    }
    this.pos++;
    if (this.peek() === "") throw new BadSubstitution("a closing } is missing");
    if (/^[{}:]$/.test(this.peek())) throw new BadSubstitution("${ must be followed by a name");
    const name = this.name();
    const op = this.next();
    if (op === "}") return this.get(name) ?? (this.options.keepUnset ? `\${${name}}` : "");
    if (op === "/") return this.replace(name);
    const modifier = op === ":" ? this.next() : op;
    const emptyIsUnset = op === ":";
    const isPattern = modifier === "#" || modifier === "%";
    if (!/^[-+?#%]$/.test(modifier) || (emptyIsUnset && isPattern)) {
      throw new BadSubstitution(`\${${name}${op}… has no known form`);
    }
    const word = this.readTo("}", isPattern).value;
    // With a word in its place a name that is not set lacks nothing.
    const value = modifier === "-" || modifier === "+" ? this.lookup(name) : this.get(name);
    if (value !== undefined) this.used.add(name);
    if (value === undefined && this.options.keepUnset) {
      return `\${${name}${emptyIsUnset ? ":" : ""}${modifier}${word}}`;
    }
    const isSet = value !== undefined && !(emptyIsUnset && value === "");
    if (modifier === "-") return isSet ? value : word;
    if (modifier === "+") return isSet ? word : "";
    if (modifier === "?") {
      if (!isSet) throw new BadSubstitution(`${name}: ${word || "is not set"}`);
      return value;
    }
    const greedy = word.startsWith(modifier);
    const pattern = greedy ? word.slice(1) : word;
    const cut = modifier === "#" ? cutPrefix : cutSuffix;
    return this.matched(cut(value ?? "", pattern, greedy), pattern);
  }

  /** `${name/pattern/replacement}`; a second slash after the name replaces all. */
  private replace(name: string): string {
    const all = this.peek() === "/";
    if (all) this.pos++;
    const pattern = this.readTo("/", true).value;
    const replacement = this.readTo("}", true).value;
    const value = this.get(name);
    if (value === undefined && this.options.keepUnset) return `\${${name}/${pattern}/${replacement}}`;
    const re = this.matched(shellPattern(pattern, { greedy: true, anchored: false }), pattern);
    const search = all ? new RegExp(re.source, "g") : re;
    return (value ?? "").replace(search, () => replacement);
  }

  private matched<T>(result: T | undefined, pattern: string): T {
    if (result === undefined) throw new BadSubstitution(`the pattern ${pattern} escapes a character that needs none`);
    return result;
  }

  private name(): string {
    const first = this.peek();
    let name = "";
    if (DIGIT.test(first)) {
      while (DIGIT.test(this.peek())) name += this.next();
      return name;
    }
    if (SPECIAL.has(first)) return this.next();
    while (ALPHANUMERIC.test(this.peek())) name += this.next();
    return name;
  }

  private get(name: string): string | undefined {
    const value = this.lookup(name);
    (value === undefined ? this.missing : this.used).add(name);
    return value;
  }
}

/** Collects words: split at white space that came bare or from a variable, not at quoted or escaped white space. */
class Words {
  private readonly words: string[] = [];
  private word = "";

  add(text: string): void {
    this.word += text;
  }

  addSplit(text: string): void {
    for (const ch of text) {
      if (isSpace(ch)) this.push();
      else this.word += ch;
    }
  }

  end(): string[] {
    this.push();
    return this.words;
  }

  private push(): void {
    if (this.word !== "") this.words.push(this.word);
    this.word = "";
  }
}
