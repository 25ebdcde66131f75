import { BLANKS, isSpace, trim, trimStart } from "./chars.ts";
import { heredocsOf } from "./heredoc.ts";
import type { Escape, Flag, Heredoc } from "./model.ts";
import { parseJsonWords } from "./words.ts";

/** One instruction before its arguments are read: continuation lines joined, comments dropped, flags split off. */
export interface RawInstruction {
  readonly line: number;
  readonly endLine: number;
  /** Upper case. */
  readonly keyword: string;
  readonly flags: readonly Flag[];
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
}

/** Something that the builder would refuse, with its line. */
export interface Problem {
  readonly line: number;
  readonly rule: string;
  readonly message: string;
  readonly fix: string;
}

export interface RawDockerfile {
  readonly lines: readonly string[];
  readonly escapeToken: Escape;
  readonly syntax?: string;
  readonly instructions: readonly RawInstruction[];
  readonly problems: readonly Problem[];
}

const DIRECTIVE = /^([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const DIRECTIVES = new Set(["syntax", "escape", "check"]);

/**
 * Splits a Dockerfile into instructions as BuildKit's parser does: directives, comments (also between continuation
 * lines), line continuations with the escape character in force, here-documents, CRLF, byte order mark.
 */
export function splitInstructions(text: string): RawDockerfile {
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  if (lines.at(-1) === "") lines.pop();
  const problems: Problem[] = [];
  const { escapeToken, syntax } = readDirectives(lines, problems);
  const instructions: RawInstruction[] = [];
  const continued = continuation(escapeToken);

  let i = 0;
  while (i < lines.length) {
    const start = i;
    const first = trimStart(chomp(lines[i++] as string));
    if (first === "" || first.startsWith("#")) continue;
    let joined = first.replace(continued, "$1");
    let open = continued.test(first);
    while (open && i < lines.length) {
      const next = chomp(lines[i++] as string);
      const bare = trimStart(next);
      if (bare === "" || bare.startsWith("#")) continue;
      joined += next.replace(continued, "$1");
      open = continued.test(next);
    }
    const { keyword, flags, rest } = splitCommand(joined, escapeToken);
    if (keyword === "") {
      problems.push({
        line: start + 1,
        rule: "nothing-continued",
        message: `a line that holds only ${escapeToken} continues nothing`,
        fix: "delete the line",
      });
      continue;
    }
    const heredocs: Heredoc[] = [];
    for (const head of takesHeredocs(keyword, rest) ? heredocsOf(joined) : []) {
      const from = i;
      let content = "";
      let ended = false;
      while (i < lines.length && !ended) {
        const line = lines[i++] as string;
        const candidate = head.chomp ? chomp(line).replace(/^\t+/, "") : chomp(line);
        if (candidate === head.name) ended = true;
        else content += `${line}\n`;
      }
      if (!ended) {
        problems.push({
          line: start + 1,
          rule: "unterminated-heredoc",
          message: `the here-document ${head.name} is not ended: no line is exactly "${head.name}"`,
          fix: `end it with a line that holds only ${head.name}`,
        });
      }
      heredocs.push({ ...head, content, line: from + 1 });
    }
    instructions.push({ line: start + 1, endLine: i, keyword: keyword.toUpperCase(), flags, text: rest, heredocs });
  }
  return { lines: lines.map(chomp), escapeToken, ...(syntax === undefined ? {} : { syntax }), instructions, problems };
}

function chomp(line: string): string {
  return line.replace(/\r+$/, "");
}

/** Matches an escape character at the line's end that is not itself escaped. */
function continuation(escapeToken: Escape): RegExp {
  const e = escapeToken === "\\" ? "\\\\" : "`";
  return new RegExp(`(^|[^${e}])${e}[ \\t]*$`);
}

/** Directives stand before all else, one to a line; the first line that is none ends them. */
function readDirectives(lines: readonly string[], problems: Problem[]): { escapeToken: Escape; syntax?: string } {
  const seen = new Set<string>();
  let escapeToken: Escape = "\\";
  let syntax: string | undefined;
  for (const [index, raw] of lines.entries()) {
    const line = trimStart(chomp(raw));
    // A shebang may stand before the syntax directive.
    if (index === 0 && line.startsWith("#!")) continue;
    const match = line.startsWith("#") ? DIRECTIVE.exec(trimStart(line.slice(1))) : null;
    const name = match?.[1]?.toLowerCase() ?? "";
    if (!DIRECTIVES.has(name)) break;
    const value = match?.[2] ?? "";
    if (seen.has(name)) {
      problems.push({
        line: index + 1,
        rule: "repeated-directive",
        message: `the directive "# ${name}=" stands here for the second time`,
        fix: "keep one of them",
      });
    } else if (name === "syntax") {
      syntax = value.split(" ")[0] ?? value;
    } else if (name === "escape") {
      if (value === "\\" || value === "`") escapeToken = value;
      else {
        problems.push({
          line: index + 1,
          rule: "bad-escape",
          message: `"# escape=" takes \\ or \`, found ${JSON.stringify(value)}`,
          fix: "write # escape=` or leave the line out",
        });
      }
    }
    seen.add(name);
  }
  return { escapeToken, ...(syntax === undefined ? {} : { syntax }) };
}

const HEREDOC_KEYWORDS = new Set(["ADD", "COPY", "RUN"]);

function takesHeredocs(keyword: string, rest: string): boolean {
  if (!rest.includes("<<")) return false;
  let [word, args] = [keyword.toUpperCase(), rest];
  if (word === "ONBUILD") {
    const split = splitCommand(rest, "\\");
    [word, args] = [split.keyword.toUpperCase(), split.rest];
  }
  return HEREDOC_KEYWORDS.has(word) && parseJsonWords(args).kind !== "words";
}

/** Keyword, leading `--flags`, and the rest of a joined line. */
export function splitCommand(line: string, escapeToken: Escape): { keyword: string; flags: Flag[]; rest: string } {
  const bare = trim(line);
  const gap = BLANKS.exec(bare);
  if (!gap) return { keyword: bare, flags: [], rest: "" };
  const { words, rest } = splitFlags(bare.slice(gap.index + gap[0].length), escapeToken);
  return { keyword: bare.slice(0, gap.index), flags: words.map(toFlag), rest: trim(rest) };
}

function toFlag(word: string): Flag {
  const at = word.indexOf("=");
  return at < 0 ? { name: word.slice(2) } : { name: word.slice(2, at), value: word.slice(at + 1) };
}

/** The leading words that start with `--`, unquoted; a bare `--` ends them. */
function splitFlags(line: string, escapeToken: Escape): { words: string[]; rest: string } {
  const words: string[] = [];
  let pos = 0;
  while (pos < line.length) {
    while (pos < line.length && isSpace(line[pos] as string)) pos++;
    if (!line.startsWith("--", pos)) return { words, rest: line.slice(pos) };
    let word = "";
    let quote = "";
    for (; pos < line.length; pos++) {
      const ch = line[pos] as string;
      if (quote === "" && isSpace(ch)) break;
      if (ch === quote) quote = "";
      else if (quote === "" && (ch === "'" || ch === '"')) quote = ch;
      else if (ch !== escapeToken) word += ch;
      else word += line[++pos] ?? "";
    }
    if (word === "--") return { words, rest: line.slice(pos) };
    words.push(word);
  }
  return { words, rest: "" };
}
