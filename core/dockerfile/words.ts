import { BLANKS, isSpace, trimStart } from "./chars.ts";
import type { Escape } from "./model.ts";

/** What a JSON-or-text argument is: an array of strings, an array of something else (refused), or text. */
export type JsonWords =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "not-strings" }
  | { readonly kind: "text" };

/** Reads `["a", "b"]`; anything that is no JSON array is text for the shell, as the builder takes it. */
export function parseJsonWords(rest: string): JsonWords {
  const text = trimStart(rest);
  if (!text.startsWith("[")) return { kind: "text" };
  try {
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value)) return { kind: "text" };
    return value.every((word) => typeof word === "string") ? { kind: "words", words: value } : { kind: "not-strings" };
  } catch {
    return { kind: "text" };
  }
}

/** Words split on blanks. @example splitBlanks("a  b") // ["a", "b"] */
export function splitBlanks(rest: string): string[] {
  return rest === "" ? [] : rest.split(BLANKS).filter((word) => word !== "");
}

/**
 * Words of ENV, LABEL and ARG: split on white space outside quotes, quotes and escapes kept.
 * @example splitQuoted('A="x y" B=z', "\\") // ['A="x y"', "B=z"]
 */
export function splitQuoted(rest: string, escapeToken: Escape): string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let pos = 0; pos < rest.length; pos++) {
    const ch = rest[pos] as string;
    if (quote === "" && isSpace(ch)) {
      if (word !== "") words.push(word);
      word = "";
      continue;
    }
    // In single quotes nothing escapes.
    if (ch === escapeToken && quote !== "'") {
      if (pos + 1 < rest.length) word += ch + rest[++pos];
      continue;
    }
    if (ch === quote) quote = "";
    else if (quote === "" && (ch === "'" || ch === '"')) quote = ch;
    word += ch;
  }
  if (word !== "") words.push(word);
  return words;
}
