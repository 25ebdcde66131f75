import type { RunInstruction } from "../core/dockerfile.ts";

/** One simple command of a RUN, with the line that its instruction begins on. */
export interface ShellCommand {
  readonly line: number;
  /** Quotes taken off; variables and substitutions stay as written. */
  readonly words: readonly string[];
  /** Whether its output goes into the next command of the list. */
  readonly piped: boolean;
}

/** Operators that end a simple command, longest first. */
const OPERATORS = ["&&", "||", ";;", "|&", "|", ";", "&", "\n", "(", ")", "{", "}"];
/** Words that may stand before a command. */
const BEFORE = /^(?:if|then|else|elif|while|until|do|!|time|exec|command|sudo|env|\w+=.*)$/s;

/**
 * The simple commands of a RUN, in order: enough of a shell to see which programs are called with which words. Nothing
 * is expanded; what stands in `$(…)` is taken as a command of its own.
 * @example commandsOf(run).map((c) => c.words) // [["apt-get", "update"], ["apt-get", "install", "-y", "curl"]]
 */
export function commandsOf(run: RunInstruction): ShellCommand[] {
  const { line, command, heredocs } = run;
  if (command.form === "exec") return [{ line, words: command.words, piped: false }];
  return [command.command, ...heredocs.map((h) => h.content)].flatMap((script) => split(script, line));
}

function split(script: string, line: number): ShellCommand[] {
  const found: { line: number; words: string[]; piped: boolean }[] = [];
  let words: string[] = [];
  let word: string | undefined;
  const endWord = () => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endCommand = (operator: string) => {
    endWord();
    while (words[0] !== undefined && BEFORE.test(words[0])) words.shift();
    if (words.length > 0) found.push({ line, words, piped: operator === "|" || operator === "|&" });
    words = [];
  };
  const plain = script.replaceAll(/\\\r?\n/g, " ");
  for (let at = 0; at < plain.length; ) {
    const rest = plain.slice(at, at + 2);
    const character = plain[at] ?? "";
    const operator = OPERATORS.find((o) => rest.startsWith(o));
    if (character === "#" && word === undefined) {
      const end = plain.indexOf("\n", at);
      at = end < 0 ? plain.length : end;
    } else if (character === "'" || character === '"') {
      const end = closing(plain, at);
      word = (word ?? "") + plain.slice(at + 1, end);
      at = end + 1;
    } else if (character === "\\") {
      word = (word ?? "") + (plain[at + 1] ?? "");
      at += 2;
    } else if (rest === "${") {
      const end = plain.indexOf("}", at);
      word = (word ?? "") + plain.slice(at, end < 0 ? undefined : end + 1);
      at = end < 0 ? plain.length : end + 1;
    } else if (operator !== undefined && !(operator === "&" && /[<>]$/.test(word ?? ""))) {
      endCommand(operator);
      at += operator.length;
    } else if (/\s/.test(character)) {
      endWord();
      at++;
    } else {
      word = (word ?? "") + character;
      at++;
    }
  }
  endCommand("");
  return found;
}

/** Where the quote that begins at `start` ends. */
function closing(text: string, start: number): number {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\" && quote === '"') at++;
    else if (text[at] === quote) return at;
  }
  return text.length;
}
