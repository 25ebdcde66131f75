/** A piece of a word. `quoted`: stands in double quotes, so that its value is not split. */
export type Part =
  | { readonly kind: "text"; readonly text: string }
  /** What stands between `${` and `}`, or a plain name. */
  | { readonly kind: "variable"; readonly body: string; readonly quoted: boolean }
  /** `$(…)` or backticks. */
  | { readonly kind: "command"; readonly text: string; readonly line: number; readonly quoted: boolean };

export interface Word {
  readonly kind: "word";
  readonly parts: readonly Part[];
  readonly line: number;
  /** `NAME=(a b)`: the words between the parentheses. */
  readonly array?: readonly Word[];
}

export interface Operator {
  readonly kind: "operator";
  /** `;` also stands for a line's end; `redirect` takes the next word with it. */
  readonly operator: ";" | "&&" | "||" | "|" | "&" | "(" | ")" | ";;" | "redirect";
  readonly line: number;
}

export type Token = Word | Operator;

/**
 * Splits a shell script into words and operators. Tolerant: whatever does not close ends with the text.
 * Here-documents are stepped over.
 */
export function tokenize(text: string, firstLine = 1): Token[] {
  return new Tokenizer(text, firstLine).all();
}

/** Index just behind the bracket that closes the one before `from`; the text's end where none does. */
function closing(text: string, from: number, open: string, close: string): number {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    const ch = text[i];
    if (ch === "\\") i++;
    else if (ch === "'" && open === "(") i = skipTo(text, i + 1, "'");
    else if (ch === '"') i = skipDouble(text, i + 1);
    else if (ch === open) depth++;
    else if (ch === close && --depth === 0) return i + 1;
  }
  return text.length;
}

function skipTo(text: string, from: number, mark: string): number {
  const at = text.indexOf(mark, from);
  return at < 0 ? text.length : at;
}

function skipDouble(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i;
    else if (text.startsWith("$(", i)) i = closing(text, i + 2, "(", ")") - 1;
  }
  return text.length;
}

const ASSIGNS = /^[A-Za-z_]\w*\+?=$/;
const NAME = /[A-Za-z_]\w*|[0-9@*#?$!-]/y;
const OPERATOR = /&&|\|\||;;&?|;&|\|&?|&>>?|&|;|\(|\)|<<<|<<-?|<>|[<>]&|>>|>\||[<>]/y;

class Tokenizer {
  private readonly text: string;
  private readonly tokens: Token[] = [];
  private readonly heredocs: { readonly end: string; readonly chomp: boolean }[] = [];
  private pos = 0;
  private line: number;
  private parts: Part[] = [];
  private literal = "";
  private inWord = false;
  private wordLine = 0;

  constructor(text: string, firstLine: number) {
    this.text = text;
    this.line = firstLine;
  }

  all(): Token[] {
    return this.until("");
  }

  /** Reads to the text's end, or past a `)` for an array. */
  private until(end: "" | ")"): Token[] {
    const begin = this.tokens.length;
    while (this.pos < this.text.length) {
      const ch = this.text[this.pos] as string;
      if (ch === "\n") {
        this.endWord();
        this.pos++;
        this.push(";");
        this.line++;
        this.skipHeredocs();
      } else if (ch === " " || ch === "\t" || ch === "\r") {
        this.endWord();
        this.pos++;
      } else if (ch === "#" && !this.inWord) {
        this.pos = skipTo(this.text, this.pos, "\n");
      } else if (end === ")" && ch === ")") {
        this.endWord();
        this.pos++;
        break;
      } else if (!this.operator(ch)) {
        this.piece(ch);
      }
    }
    this.endWord();
    return end === "" ? this.tokens : this.tokens.splice(begin);
  }

  private push(operator: Operator["operator"]): void {
    this.tokens.push({ kind: "operator", operator, line: this.line });
  }

  private operator(ch: string): boolean {
    if (!"&|;()<>".includes(ch)) return false;
    if (ch === "(" && this.inWord && this.parts.length === 0 && ASSIGNS.test(this.literal)) return this.array();
    if (ch === "(" && !this.inWord && this.text[this.pos + 1] === "(") return this.arithmetic();
    OPERATOR.lastIndex = this.pos;
    const found = OPERATOR.exec(this.text)?.[0] ?? ch;
    const isRedirect = /[<>]/.test(found);
    // The number of a redirection is no word: 2>file.
    if (isRedirect && this.parts.length === 0 && /^\d+$/.test(this.literal)) this.dropWord();
    else this.endWord();
    this.pos += found.length;
    if (/^<<-?$/.test(found)) this.heredocHead(found === "<<-");
    else if (isRedirect && this.text[this.pos] === "(") this.skipBracket();
    else if (isRedirect) this.push("redirect");
    else if (found.startsWith(";") && found.length > 1) this.push(";;");
    else this.push(found === "|&" ? "|" : (found as Operator["operator"]));
    return true;
  }

  private array(): true {
    const name = this.literal;
    const line = this.wordLine;
    this.dropWord();
    this.pos++;
    const words = this.until(")").filter((token) => token.kind === "word");
    this.tokens.push({ kind: "word", parts: [{ kind: "text", text: name }], line, array: words });
    return true;
  }

  private arithmetic(): true {
    const end = skipTo(this.text, this.pos, "))");
    this.advance(Math.min(this.text.length, end + 2));
    return true;
  }

  /** `<(…)`: what runs inside is of no interest. */
  private skipBracket(): void {
    this.advance(closing(this.text, this.pos + 1, "(", ")"));
  }

  private heredocHead(chomp: boolean): void {
    const match = /[ \t]*(?:'([^'\n]*)'|"([^"\n]*)"|\\?([^\s;&|<>()]+))/y;
    match.lastIndex = this.pos;
    const found = match.exec(this.text);
    if (!found) return;
    this.pos += found[0].length;
    this.heredocs.push({ end: found[1] ?? found[2] ?? found[3] ?? "", chomp });
  }

  private skipHeredocs(): void {
    for (const { end, chomp } of this.heredocs.splice(0)) {
      while (this.pos < this.text.length) {
        const stop = skipTo(this.text, this.pos, "\n");
        const line = this.text.slice(this.pos, stop).replace(/\r$/, "");
        this.pos = Math.min(this.text.length, stop + 1);
        this.line++;
        if ((chomp ? line.replace(/^\t+/, "") : line) === end) break;
      }
    }
  }

  private piece(ch: string): void {
    this.begin();
    if (ch === "\\") {
      const next = this.text[this.pos + 1] ?? "";
      const crlf = next === "\r" && this.text[this.pos + 2] === "\n";
      this.advance(this.pos + (crlf ? 3 : 2));
      if (next !== "\n" && !crlf) this.literal += next;
      else if (this.literal === "" && this.parts.length === 0) this.inWord = false;
    } else if (ch === "'") {
      const end = skipTo(this.text, this.pos + 1, "'");
      this.literal += this.text.slice(this.pos + 1, end);
      this.advance(end + 1);
    } else if (ch === '"') {
      this.pos++;
      this.doubleQuoted();
    } else if (ch === "$") {
      this.dollar(false);
    } else if (ch === "`") {
      this.backticks(false);
    } else {
      this.literal += ch;
      this.pos++;
    }
  }

  private doubleQuoted(): void {
    while (this.pos < this.text.length) {
      const ch = this.text[this.pos] as string;
      if (ch === '"') {
        this.pos++;
        return;
      }
      if (ch === "$") this.dollar(true);
      else if (ch === "`") this.backticks(true);
      else if (ch === "\\") {
        const next = this.text[this.pos + 1] ?? "";
        if (next !== "\n") this.literal += '"$`\\'.includes(next) ? next : ch + next;
        this.advance(this.pos + 2);
      } else {
        this.literal += ch;
        this.advance(this.pos + 1);
      }
    }
  }

  private dollar(quoted: boolean): void {
    const next = this.text[this.pos + 1] ?? "";
    const from = this.pos + 2;
    if (next === "(" && this.text[from] === "(") {
      this.part({ kind: "variable", body: "((", quoted });
      this.advance(closing(this.text, from, "(", ")"));
    } else if (next === "(") {
      const end = closing(this.text, from, "(", ")");
      this.part({ kind: "command", text: this.text.slice(from, end - 1), line: this.line, quoted });
      this.advance(end);
    } else if (next === "{") {
      const end = closing(this.text, from, "{", "}");
      this.part({ kind: "variable", body: this.text.slice(from, end - 1), quoted });
      this.advance(end);
    } else if (next === "'" && !quoted) {
      this.pos++;
    } else {
      NAME.lastIndex = this.pos + 1;
      const name = NAME.exec(this.text)?.[0];
      this.pos += 1 + (name?.length ?? 0);
      if (name === undefined) this.literal += "$";
      else this.part({ kind: "variable", body: name, quoted });
    }
  }

  private backticks(quoted: boolean): void {
    const end = skipTo(this.text, this.pos + 1, "`");
    this.part({ kind: "command", text: this.text.slice(this.pos + 1, end), line: this.line, quoted });
    this.advance(end + 1);
  }

  private part(part: Part): void {
    if (this.literal !== "") this.parts.push({ kind: "text", text: this.literal });
    this.literal = "";
    this.parts.push(part);
  }

  private begin(): void {
    if (!this.inWord) this.wordLine = this.line;
    this.inWord = true;
  }

  private endWord(): void {
    if (!this.inWord) return;
    if (this.literal !== "" || this.parts.length === 0) this.parts.push({ kind: "text", text: this.literal });
    this.tokens.push({ kind: "word", parts: this.parts, line: this.wordLine });
    this.dropWord();
  }

  private dropWord(): void {
    this.parts = [];
    this.literal = "";
    this.inWord = false;
  }

  /** Goes to a position, counting the lines on the way. */
  private advance(to: number): void {
    for (let i = this.pos; i < to && i < this.text.length; i++) if (this.text[i] === "\n") this.line++;
    this.pos = to;
  }
}
