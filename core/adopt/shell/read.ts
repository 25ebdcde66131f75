import { joinPath, ROOT } from "../path.ts";
import { bounded } from "../pattern.ts";
import { type Choice, expandText, expandWord, type Scope, variablesOf } from "./expand.ts";
import { type Token, tokenize, type Word } from "./tokens.ts";

/** One command as it would be run, `*` for what is not known. */
export interface ShellCommand {
  readonly words: readonly string[];
  readonly line: number;
  /** Folder below the tree's root, `""` for the root itself; undefined where it is not known. */
  readonly cwd: string | undefined;
  /** True after a `cd` to somewhere unknown: not even the folder where the script was started is the one. */
  readonly lost: boolean;
}

export interface ShellSource {
  readonly text: string;
  /** Of the text's first line. Default 1. */
  readonly line?: number;
  /** Folder of the file that holds the text. */
  readonly folder: string;
  /** Working directory at the start; undefined where the text does not tell. */
  readonly cwd?: string;
  readonly variables?: Readonly<Record<string, readonly string[]>>;
}

/** Bounds against scripts whose branches and loops multiply. */
const MAX_COMMANDS = 2000;
const MAX_CHOICES = 16;
const MAX_VALUES = 8;
const MAX_LOOP = 200;
const MAX_NESTED = 10;
const MAX_CALLS = 4;
const MAX_STEPS = 20_000;
/** Characters of all commands and values together. */
const MAX_TEXT = 4_000_000;

/**
 * The commands that a shell script would run, all branches taken, `for` loops over known words unrolled, calls of the
 * script's own functions followed.
 * @example readShell({ text: "T=1\ndocker build -t a:$T .", folder: "" })[0]?.words // ["docker", "build", "-t", "a:1", "."]
 */
export function readShell(source: ShellSource): ShellCommand[] {
  const reader = new Reader(source);
  try {
    reader.run(tokenize(source.text, source.line), 0);
    reader.runUncalled();
  } catch (error) {
    // A text nested so deep that the stack ends: nobody wrote it by hand, and what was read till there holds.
    if (!(error instanceof RangeError)) throw error;
  }
  return reader.commands;
}

const DECLARES = new Set(["export", "local", "readonly", "declare", "typeset"]);
const OPENS = new Set(["if", "while", "until", "case", "select"]);
const CLOSES = new Set(["fi", "done", "esac"]);
const LEADS = new Set(["then", "else", "elif", "do", "!", "{", "}", "if", "while", "until", "time"]);
const ASSIGNMENT = /^([A-Za-z_]\w*)(\+?)=/;

class Reader {
  readonly commands: ShellCommand[] = [];
  private scope: Scope;
  private readonly functions = new Map<string, { readonly body: readonly Token[]; called: boolean }>();
  private readonly saved: { readonly cwd: string | undefined; readonly lost: boolean }[] = [];
  /** How many branches are open: what is set there may or may not be. */
  private branches = 0;
  /** How many loops are open. */
  private loops = 0;
  private lost = false;
  private steps = 0;
  private textLeft = MAX_TEXT;
  /** Tokens in which no `do` was found: a script of thousands of `for` is not searched thousands of times. */
  private withoutDo: readonly Token[] | undefined;

  constructor({ folder, cwd, variables = {} }: ShellSource) {
    this.scope = {
      variables: new Map(Object.entries(variables)),
      arrays: new Map(),
      positional: undefined,
      cwd: cwd === undefined ? undefined : rooted(cwd),
      folder: rooted(folder),
    };
  }

  run(tokens: readonly Token[], calls: number): void {
    let words: Word[] = [];
    let maybe = false;
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i] as Token;
      if (token.kind === "word") {
        if (words.length === 0 && plain(token) === "for") i = this.loop(tokens, i, calls);
        else words.push(token);
        continue;
      }
      if (token.operator === "redirect") {
        if (tokens[i + 1]?.kind === "word") i++;
        continue;
      }
      if (token.operator === "(" && definesFunction(tokens, i, words)) {
        i = this.define(plain(words.at(-1)) ?? "", tokens, i + 2);
        words = [];
        continue;
      }
      this.command(words, maybe, calls);
      words = [];
      maybe = token.operator === "&&" || token.operator === "||";
      if (token.operator === "(") this.saved.push({ cwd: this.scope.cwd, lost: this.lost });
      else if (token.operator === ")") this.restore(this.saved.pop());
    }
    this.command(words, maybe, calls);
  }

  private restore(folder: { readonly cwd: string | undefined; readonly lost: boolean } | undefined): void {
    if (folder === undefined) return;
    this.scope = { ...this.scope, cwd: folder.cwd };
    this.lost = folder.lost;
  }

  /** Functions that only others call still say what they build. */
  runUncalled(): void {
    for (const entry of this.functions.values()) {
      if (entry.called) continue;
      entry.called = true;
      this.run(entry.body, MAX_CALLS);
    }
  }

  /** `for NAME in WORDS; do BODY done` @returns index of the `done` */
  private loop(tokens: readonly Token[], at: number, calls: number): number {
    const name = plain(tokens[at + 1]);
    if (name === undefined || this.withoutDo === tokens || this.loops >= MAX_NESTED || this.isSpent()) return at;
    const start = tokens.findIndex((token, i) => i > at && plain(token) === "do");
    if (start < 0) {
      this.withoutDo = tokens;
      return at;
    }
    const end = matching(tokens, start);
    const list = tokens.slice(at + 2, start);
    const words = list.flatMap((token) => (token.kind === "word" && plain(token) !== "in" ? token : []));
    const values = this.expand(words, new Map());
    const body = tokens.slice(start + 1, end);
    const before = this.scope.variables.get(name);
    this.loops++;
    for (const value of values.length > 0 ? values.slice(0, MAX_LOOP) : ["*"]) {
      if (this.isSpent()) break;
      this.steps++;
      this.scope.variables.set(name, [value]);
      this.run(body, calls);
    }
    this.loops--;
    if (before) this.scope.variables.set(name, before);
    return end;
  }

  /** @returns index of the `}` */
  private define(name: string, tokens: readonly Token[], from: number): number {
    const open = tokens.findIndex((token, i) => i >= from && plain(token) === "{");
    if (open < 0) return from - 1;
    let depth = 0;
    for (let i = open; i < tokens.length; i++) {
      const text = plain(tokens[i]);
      if (text === "{") depth++;
      else if (text === "}" && --depth === 0) {
        this.functions.set(name, { body: tokens.slice(open + 1, i), called: false });
        return i;
      }
    }
    return tokens.length;
  }

  private command(all: readonly Word[], maybe: boolean, calls: number): void {
    const words = this.withoutLeads(all);
    const first = words[0];
    if (!first || this.isSpent()) return;
    this.steps += 1 + Math.floor(words.length / 16);
    for (const word of words) this.substitutions(word, calls);
    const head = plain(first);
    if (words.every(isAssignment) || (head !== undefined && DECLARES.has(head))) {
      for (const word of words) if (isAssignment(word)) this.assign(word, maybe);
      return;
    }
    for (const choice of this.choices(words)) {
      const expanded = this.expand(words, choice);
      const start = expanded.findIndex((word) => !ASSIGNMENT.test(word));
      if (start >= 0) this.emit(expanded.slice(start), first.line, calls);
    }
  }

  private expand(words: readonly Word[], choice: Choice): string[] {
    const expanded: string[] = [];
    for (const word of words) {
      for (const field of expandWord(word, this.scope, choice)) {
        this.textLeft -= field.length + 1;
        expanded.push(field);
      }
      if (this.textLeft < 0) break;
    }
    return expanded;
  }

  /** True for a script made to go on and on. */
  private isSpent(): boolean {
    return this.commands.length >= MAX_COMMANDS || this.steps > MAX_STEPS || this.textLeft < 0;
  }

  private withoutLeads(words: readonly Word[]): readonly Word[] {
    let start = 0;
    for (let text = plain(words[0]); text !== undefined; text = plain(words[++start])) {
      if (OPENS.has(text)) this.branches++;
      if (CLOSES.has(text)) this.branches = Math.max(0, this.branches - 1);
      if (!LEADS.has(text) && !CLOSES.has(text)) break;
    }
    return words.slice(start);
  }

  private emit(words: readonly string[], line: number, calls: number): void {
    const [name = "", ...rest] = words;
    if (name === "cd" || name === "pushd" || name === "shift") {
      this.builtin(name, rest);
      return;
    }
    if (name === "read" || name === "mapfile") for (const word of rest) this.scope.variables.set(word, ["*"]);
    if (name === "eval" && calls < MAX_CALLS) this.run(tokenize(rest.join(" "), line), calls + 1);
    const own = this.functions.get(name);
    if (!own) {
      const cwd = this.scope.cwd === undefined ? undefined : joinPath("", this.scope.cwd);
      this.commands.push({ words, line, cwd, lost: this.lost });
    } else if (calls < MAX_CALLS) {
      own.called = true;
      const { positional } = this.scope;
      this.scope = { ...this.scope, positional: rest };
      this.run(own.body, calls + 1);
      this.scope = { ...this.scope, positional };
    }
  }

  private builtin(name: string, rest: readonly string[]): void {
    if (name !== "shift") this.changeFolder(rest.find((word) => !word.startsWith("-")));
    else if (this.scope.positional) this.scope = { ...this.scope, positional: this.scope.positional.slice(1) };
  }

  private changeFolder(to: string | undefined): void {
    const from = this.scope.cwd === undefined ? undefined : joinPath("", this.scope.cwd);
    const target = to === undefined || to.startsWith("*") ? undefined : joinPath(from ?? "", to);
    const known = from !== undefined || to?.startsWith(ROOT);
    const cwd = target === undefined || !known ? undefined : rooted(target);
    this.lost = cwd === undefined;
    this.scope = { ...this.scope, cwd };
  }

  private assign(word: Word, maybe: boolean): void {
    const head = word.parts[0];
    const match = head?.kind === "text" ? ASSIGNMENT.exec(head.text) : null;
    if (!match || head?.kind !== "text") return;
    const [whole, name = "", plus] = match;
    if (word.array) {
      const items = this.expand(word.array, new Map());
      const before = plus === "+" || this.branches > 0 ? (this.scope.arrays.get(name) ?? []) : [];
      this.scope.arrays.set(name, [...before, ...items]);
      return;
    }
    const value: Pick<Word, "parts"> = {
      parts: [{ kind: "text", text: head.text.slice(whole.length) }, ...word.parts.slice(1)],
    };
    const before = this.scope.variables.get(name);
    const values = this.choices([word]).map((choice) =>
      bounded((plus === "+" ? (before?.[0] ?? "") : "") + expandText(value, this.scope, choice)),
    );
    for (const one of values) this.textLeft -= one.length;
    // Set in a branch: the value from before is as likely.
    const kept = (maybe || this.branches > 0) && before ? before : [];
    this.scope.variables.set(name, [...new Set([...kept, ...values])].slice(0, MAX_VALUES));
  }

  /** Every way to choose a value for the variables of some words that may have several. */
  private choices(words: readonly Word[]): Choice[] {
    const open = [...new Set(words.flatMap(variablesOf))].filter(
      (name) => (this.scope.variables.get(name)?.length ?? 0) > 1,
    );
    let all: Map<string, string>[] = [new Map()];
    for (const name of open) {
      const values = this.scope.variables.get(name) ?? [];
      if (all.length * values.length > MAX_CHOICES) {
        for (const choice of all) choice.set(name, "*");
      } else {
        all = all.flatMap((choice) => values.map((value) => new Map([...choice, [name, value]])));
      }
    }
    return all;
  }

  /** Commands inside `$(…)` are run too; a folder they change is theirs alone. */
  private substitutions(word: Word, calls: number): void {
    for (const part of word.parts) {
      if (part.kind !== "command" || calls >= MAX_CALLS) continue;
      const folder = { cwd: this.scope.cwd, lost: this.lost };
      const { branches } = this;
      this.run(tokenize(part.text, part.line), calls + 1);
      this.branches = branches;
      this.restore(folder);
    }
  }
}

function rooted(folder: string): string {
  return folder === "" ? ROOT : `${ROOT}/${folder}`;
}

/** The text of a token that is one plain word. */
function plain(token: Token | undefined): string | undefined {
  if (token?.kind !== "word" || token.parts.length !== 1 || token.array) return undefined;
  const [part] = token.parts;
  return part?.kind === "text" ? part.text : undefined;
}

function isAssignment(word: Word): boolean {
  const [head] = word.parts;
  return head?.kind === "text" && ASSIGNMENT.test(head.text);
}

function definesFunction(tokens: readonly Token[], at: number, words: readonly Word[]): boolean {
  const next = tokens[at + 1];
  const named = words.length === 1 || (words.length === 2 && plain(words[0]) === "function");
  return named && next?.kind === "operator" && next.operator === ")";
}

/** Index of the `done` that ends the `do` at `start`. */
function matching(tokens: readonly Token[], start: number): number {
  let depth = 0;
  for (let i = start; i < tokens.length; i++) {
    const text = plain(tokens[i]);
    const first =
      i === 0 || tokens[i - 1]?.kind === "operator" || /^(?:do|then|else|\{|!)$/.test(plain(tokens[i - 1]) ?? "");
    if (!first && i !== start) continue;
    if (text === "do") depth++;
    else if (text === "done" && --depth === 0) return i;
  }
  return tokens.length;
}
