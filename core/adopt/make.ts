import type { ShellCommand } from "./shell/read.ts";
import { readShell } from "./shell/read.ts";

interface Rule {
  readonly targets: readonly string[];
  readonly recipe: { readonly text: string; readonly line: number }[];
}

const MAX_DEPTH = 10;
/** Characters of one file's recipes and of what is put into them: variables that hold each other twice grow without end. */
const MAX_TEXT = 8_000_000;

/**
 * The commands of a makefile's recipes. Variables are put in, functions that only compute (`notdir`, `basename`) too;
 * what needs running or the target's name of a pattern rule is `*`.
 */
export function readMakefile(text: string, folder: string): ShellCommand[] {
  const variables = new Map<string, string>([
    ["CURDIR", "."],
    ["PWD", "."],
  ]);
  const rules: Rule[] = [];
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  for (let i = 0; i < lines.length; i++) {
    const start = i;
    while (lines[i]?.endsWith("\\") && i + 1 < lines.length) i++;
    const line = lines.slice(start, i + 1).join("\n");
    if (line.startsWith("\t")) {
      rules.at(-1)?.recipe.push({ text: line.slice(1), line: start + 1 });
      continue;
    }
    const bare = line.replaceAll("\\\n", " ").replace(/(^|\s)#.*$/, "");
    const set = /^\s*(?:export\s+|override\s+)*([\w.-]+)\s*(\?|:{0,3}|\+|!)=\s*(.*)$/.exec(bare);
    if (set) assign(variables, set[1] ?? "", set[2] ?? "", (set[3] ?? "").trim());
    else if (/^[^\s#=][^=]*:(?!=)/.test(bare)) rules.push({ targets: targetsOf(bare), recipe: [] });
  }
  const budget = { left: MAX_TEXT };
  return rules.flatMap((rule) => commandsOf(rule, variables, folder, budget));
}

function assign(variables: Map<string, string>, name: string, kind: string, value: string): void {
  if (kind === "!") variables.set(name, "*");
  else if (kind === "+") variables.set(name, `${variables.get(name) ?? ""} ${value}`.trim());
  else if (kind !== "?" || !variables.has(name)) variables.set(name, value);
}

function targetsOf(rule: string): string[] {
  return rule
    .slice(0, rule.indexOf(":"))
    .split(/\s+/)
    .filter((word) => word !== "");
}

function commandsOf(
  rule: Rule,
  variables: ReadonlyMap<string, string>,
  folder: string,
  budget: { left: number },
): ShellCommand[] {
  const [target = "*"] = rule.targets;
  const automatic = new Map([
    ...variables,
    ["@", target.includes("%") || target.includes("$") ? target.replace(/%|\$\([^)]*\)/g, "*") : target],
    ["*", "*"],
    ["<", "*"],
    ["^", "*"],
  ]);
  const expander = new Expander(automatic, budget);
  return rule.recipe.flatMap(({ text, line }) => {
    const shell = expander.expand(text.replace(/^[@+\- ]+/, ""));
    return readShell({ text: shell, line, folder, cwd: folder });
  });
}

/** Puts make's variables in; `$$` is the shell's dollar. */
class Expander {
  private readonly variables: ReadonlyMap<string, string>;
  private readonly budget: { left: number };

  constructor(variables: ReadonlyMap<string, string>, budget: { left: number }) {
    this.variables = variables;
    this.budget = budget;
  }

  expand(text: string, depth = 0): string {
    this.budget.left -= text.length + 1;
    if (depth > MAX_DEPTH || this.budget.left < 0) return "*";
    let out = "";
    let from = 0;
    for (let at = text.indexOf("$"); at >= 0; at = text.indexOf("$", from)) {
      out += text.slice(from, at);
      const next = text[at + 1] ?? "";
      if (next === "(" || next === "{") {
        const end = closing(text, at + 2, next, next === "(" ? ")" : "}");
        out += this.reference(text.slice(at + 2, end), depth);
        from = end + 1;
      } else {
        out += next === "$" ? "$" : this.expand(this.variables.get(next) ?? "*", depth + 1);
        from = at + 2;
      }
    }
    return out + text.slice(from);
  }

  private reference(body: string, depth: number): string {
    const call = /^(\w+)\s+([\s\S]*)$/.exec(body);
    if (call) return computed(call[1] ?? "", this.expand(call[2] ?? "", depth + 1));
    const name = this.expand(body, depth + 1);
    // $(@D) and $(@F), $(VAR:a=b)
    if (/^[@<*^][DF]$/.test(name) || name.includes(":")) return "*";
    const value = this.variables.get(name);
    // An unset name comes from the environment or is empty: nobody knows.
    return value === undefined ? "*" : this.expand(value, depth + 1);
  }
}

function computed(name: string, argument: string): string {
  const words = argument.trim().split(/\s+/);
  if (name === "notdir") return words.map((word) => word.slice(word.lastIndexOf("/") + 1)).join(" ");
  if (name === "strip") return words.join(" ");
  if (name === "basename") return words.map((word) => word.replace(/\.[^./]*$/, "")).join(" ");
  return "*";
}

function closing(text: string, from: number, open: string, close: string): number {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === open) depth++;
    else if (text[i] === close && --depth === 0) return i;
  }
  return text.length;
}
