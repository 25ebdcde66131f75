import { substitute } from "../../dockerfile/substitute.ts";
import { ROOT } from "../path.ts";
import { MAX_VALUE } from "../pattern.ts";
import { type Part, tokenize, type Word } from "./tokens.ts";

/** What a script knows while it is read. Nothing is run: a value that would need that is `*`. */
export interface Scope {
  /** Values that a variable may have here; more than one where branches set it differently. */
  readonly variables: Map<string, readonly string[]>;
  readonly arrays: Map<string, readonly string[]>;
  /** `$1` and on, inside a function whose call is known. */
  readonly positional: readonly string[] | undefined;
  /** Working directory below the root, as {@link ROOT} path; undefined where unknown. */
  readonly cwd: string | undefined;
  /** Folder of the script as {@link ROOT} path. */
  readonly folder: string;
}

/** Values chosen for variables that may have several. */
export type Choice = ReadonlyMap<string, string>;

const UNKNOWN = "*";
const NO_CHOICE: Choice = new Map();

/** The words that one word becomes. @example `$ARGS` with ARGS="-t x" gives two */
export function expandWord(word: Word, scope: Scope, choice: Choice = NO_CHOICE): string[] {
  const fields: string[] = [];
  let current = "";
  let started = false;
  let length = 0;
  for (const part of word.parts) {
    if (length > MAX_VALUE) return [UNKNOWN];
    const list = part.kind === "variable" ? listOf(part.body, scope) : undefined;
    if (list) {
      for (const [index, item] of list.entries()) {
        if (index > 0) {
          fields.push(current);
          current = "";
        }
        current += item;
        length += item.length;
      }
      started ||= list.length > 0;
      continue;
    }
    const value = partValue(part, scope, choice);
    length += value.length;
    if (part.kind === "text" || part.quoted || !/\s/.test(value)) {
      current += value;
      started ||= part.kind === "text" || part.quoted || value !== "";
      continue;
    }
    const pieces = value.split(/\s+/);
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) {
        if (current !== "") fields.push(current);
        current = "";
      }
      current += piece;
    }
    started = current !== "";
  }
  if (started || current !== "") fields.push(current);
  return fields;
}

/** A word's value where it is not split, as on the right of `=`. */
export function expandText(word: Pick<Word, "parts">, scope: Scope, choice: Choice = NO_CHOICE): string {
  let text = "";
  for (const part of word.parts) {
    text += partValue(part, scope, choice);
    if (text.length > MAX_VALUE) return UNKNOWN;
  }
  return text;
}

/** Names of the variables that a word reads directly. */
export function variablesOf(word: Word): string[] {
  return word.parts.flatMap((part) => (part.kind === "variable" ? (/^\w+/.exec(part.body)?.[0] ?? []) : []));
}

/** `$@` and `${array[@]}` become one word for each item. */
function listOf(body: string, scope: Scope): readonly string[] | undefined {
  if (body === "@" || body === "*") return scope.positional ?? [UNKNOWN];
  const name = /^(\w+)\[[@*]\](?:[:+-].*)?$/s.exec(body)?.[1] ?? /^(\w+)\[[@*]\]\+/.exec(body)?.[1];
  if (name === undefined) return undefined;
  return scope.arrays.get(name) ?? [UNKNOWN];
}

function partValue(part: Part, scope: Scope, choice: Choice): string {
  if (part.kind === "text") return part.text;
  return part.kind === "variable" ? variableValue(part.body, scope, choice) : commandValue(part.text, scope, choice);
}

function lookup(name: string, scope: Scope, choice: Choice): string | undefined {
  if (name === "PWD") return scope.cwd ?? UNKNOWN;
  if (name === "0" || name === "BASH_SOURCE") return `${scope.folder}/script`;
  if (/^\d+$/.test(name)) return scope.positional === undefined ? UNKNOWN : (scope.positional[Number(name) - 1] ?? "");
  return choice.get(name) ?? scope.variables.get(name)?.[0] ?? scope.arrays.get(name)?.[0];
}

function variableValue(body: string, scope: Scope, choice: Choice): string {
  const [, name = "", rest = ""] = /^(\w+)(?:\[0\])?([\s\S]*)$/.exec(body) ?? [];
  if (name === "") return UNKNOWN;
  const value = lookup(name, scope, choice);
  if (rest === "") return value ?? UNKNOWN;
  const fallback = /^:?[-=]([\s\S]*)$/.exec(rest)?.[1];
  if (fallback !== undefined) return value ?? expandInner(fallback, scope, choice);
  const other = /^:?\+([\s\S]*)$/.exec(rest)?.[1];
  if (other !== undefined) return value === undefined || value === "" ? "" : expandInner(other, scope, choice);
  if (value === undefined || value === UNKNOWN) return UNKNOWN;
  if (/^:?\?/.test(rest)) return value;
  if (rest === ",,") return value.toLowerCase();
  if (rest === "^^") return value.toUpperCase();
  const result = substitute(`\${v${rest}}`, (asked) => (asked === "v" ? value : lookup(asked, scope, choice)), "\\");
  return result.ok ? result.value : UNKNOWN;
}

/** Deepest `${a:-${b:-…}}` that is followed: each level is read anew. */
const MAX_NESTED = 20;

function expandInner(text: string, scope: Scope, choice: Choice): string {
  if (text.split("${", MAX_NESTED + 2).length > MAX_NESTED + 1) return UNKNOWN;
  const words = tokenize(text.replaceAll("\n", " ")).filter((token) => token.kind === "word");
  return words.map((word) => expandText(word, scope, choice)).join(" ");
}

/** The few commands whose output can be told from the text: where am I, where is the script, the last part of a path. */
function commandValue(text: string, scope: Scope, choice: Choice): string {
  const command = text.trim();
  if (/\bdirname\b.*(?:\$0|\$\{0|BASH_SOURCE)/.test(command)) return scriptFolder(command, scope);
  if (/^git\s+rev-parse\s+--show-toplevel\b/.test(command)) return ROOT;
  if (/^pwd\b/.test(command)) return scope.cwd ?? UNKNOWN;
  const simple = /^(basename|dirname|echo|realpath|readlink -f)\s+([^|;&<>]*)$/.exec(command);
  if (!simple) return UNKNOWN;
  const words = tokenize(simple[2] ?? "").flatMap((token) =>
    token.kind === "word" ? expandWord(token, scope, choice) : [],
  );
  const first = (words.find((word) => !word.startsWith("-")) ?? UNKNOWN).replace(/(?<=.)\/$/, "");
  if (simple[1] === "echo") return words.join(" ");
  if (simple[1] === "basename") return cut(first.slice(first.lastIndexOf("/") + 1), words[1]);
  if (simple[1] === "dirname") return first.includes("/") ? first.slice(0, first.lastIndexOf("/")) : ".";
  return first;
}

function cut(name: string, suffix: string | undefined): string {
  return suffix !== undefined && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
}

/** `$(cd "$(dirname "$0")/../.." && pwd)`: the script's folder and the steps after it. */
function scriptFolder(command: string, scope: Scope): string {
  const nested = command.split("dirname").length - 2;
  const steps = /\)["']?((?:\/(?:\.\.|[\w.-]+))+)/.exec(command)?.[1] ?? "";
  return `${scope.folder}${"/..".repeat(Math.max(0, nested))}${steps}`;
}
