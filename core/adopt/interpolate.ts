import type { Pattern } from "./facts.ts";
import { bounded, MAX_VALUE } from "./pattern.ts";

/** Values of a `.env` file. */
export type Environment = ReadonlyMap<string, string>;

const NOTHING: Environment = new Map();
const NAME = /\w+/y;

/** Reads a `.env` file: `NAME=value` lines, quotes taken off, earlier names put in. */
export function readEnvironment(text: string): Environment {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, raw = ""] = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined) continue;
    const single = /^'(.*)'$/.exec(raw)?.[1];
    const value = /^"(.*)"$/.exec(raw)?.[1] ?? raw.replace(/\s#.*$/, "");
    values.set(name, single ?? interpolate(value, values));
  }
  return values;
}

/**
 * A value of a compose file: `${NAME:-default}` is its default, a variable without one is `*`, `$$` is a dollar.
 * @example interpolate("app:${TAG:-dev}") // "app:dev"
 */
export function interpolate(text: string, env: Environment = NOTHING): Pattern {
  if (text.length > MAX_VALUE) return "*";
  let out = "";
  for (let i = 0; i < text.length && out.length <= MAX_VALUE; i++) {
    const next = text[i + 1];
    if (text[i] !== "$") out += text[i];
    else if (next === "$") {
      out += "$";
      i++;
    } else if (next === "{") {
      const end = closingBrace(text, i + 2);
      out += braced(text.slice(i + 2, end), env);
      i = end;
    } else {
      NAME.lastIndex = i + 1;
      const name = NAME.exec(text)?.[0] ?? "";
      out += name === "" ? "$" : (env.get(name) ?? "*");
      i += name.length;
    }
  }
  return bounded(out);
}

function braced(body: string, env: Environment): Pattern {
  const [, name = "", operator = "", word = ""] = /^(\w+)(:?[-+?])?([\s\S]*)$/.exec(body) ?? [];
  const value = env.get(name);
  const isSet = value !== undefined && !(operator.startsWith(":") && value === "");
  if (operator.endsWith("+")) return isSet ? interpolate(word, env) : "";
  if (isSet) return value;
  return operator.endsWith("-") ? interpolate(word, env) : "*";
}

function closingBrace(text: string, from: number): number {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === "{") depth++;
    else if (text[i] === "}" && --depth === 0) return i;
  }
  return text.length;
}
