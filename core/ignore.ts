import { posix } from "node:path";

/**
 * Decides, as BuildKit does, which paths of a context an ignore file takes away. The rules are those of moby's
 * patternmatcher: the last pattern that matches wins, `!` brings back, `**` crosses directories, a pattern that
 * matches a directory holds for what lies below unless a later one brings it back.
 *
 * @example
 * const matcher = ignoreMatcher("*\n!src\n");
 * const src = matcher.match("src");
 * matcher.match("src/main.rs", src).ignored // false
 */
export interface IgnoreMatcher {
  /** `parent` is the result for the directory that holds `path`; without it `path` stands at the top. */
  match(path: string, parent?: IgnoreResult): IgnoreResult;
  /** False when nothing below an ignored directory can come back, so that nobody needs to look there. */
  mayBringBack(directory: string): boolean;
}

export interface IgnoreResult {
  readonly ignored: boolean;
  /** Which patterns matched, for the entries below. */
  readonly patterns: readonly boolean[];
}

/** A line of an ignore file that can't be read. */
export class IgnorePatternError extends Error {
  override readonly name = "IgnorePatternError";
  readonly pattern: string;

  constructor(pattern: string, why: string) {
    super(`pattern ${JSON.stringify(pattern)}: ${why}`);
    this.pattern = pattern;
  }
}

interface Pattern {
  readonly bringsBack: boolean;
  readonly text: string;
  matches(path: string): boolean;
}

/**
 * Reads an ignore file.
 * @throws IgnorePatternError for a pattern that BuildKit refuses as well.
 */
export function ignoreMatcher(text: string): IgnoreMatcher {
  const patterns = ignoreLines(text).map(readPattern);
  const bringBack = patterns.filter((p) => p.bringsBack).map((p) => withoutTrailingGlob(p.text));
  const onlyPrefixes = !bringBack.some((text) => /[*[\]?^\\]/.test(text));
  return {
    match: (path, parent) => matchAll(patterns, path, parent),
    mayBringBack: (directory) => !onlyPrefixes || bringBack.some((text) => `${text}/`.startsWith(`${directory}/`)),
  };
}

function matchAll(patterns: readonly Pattern[], path: string, parent: IgnoreResult | undefined): IgnoreResult {
  let ignored = false;
  const matched = patterns.map((pattern, i) => {
    const fromParent = parent?.patterns[i] ?? false;
    if (!fromParent && pattern.bringsBack !== ignored) return false;
    const match = fromParent || pattern.matches(path);
    if (match) ignored = !pattern.bringsBack;
    return match;
  });
  return { ignored, patterns: matched };
}

/** Patterns as moby's ignorefile gives them: no comments, cleaned, without the leading slash. */
function ignoreLines(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  return lines.filter((line) => !line.startsWith("#") && line.trim() !== "").map(cleanLine);
}

function cleanLine(line: string): string {
  const trimmed = line.trim();
  const bang = trimmed.startsWith("!") ? "!" : "";
  const pattern = bang ? trimmed.slice(1).trim() : trimmed;
  if (pattern === "") return bang;
  const clean = cleanPath(pattern);
  return bang + (clean.length > 1 && clean.startsWith("/") ? clean.slice(1) : clean);
}

/** The shortest equal path, as Go's filepath.Clean. */
function cleanPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

function readPattern(line: string): Pattern {
  const clean = cleanPath(line);
  if (clean === "!") throw new IgnorePatternError(line, "an exclamation mark needs a path behind it");
  const bringsBack = clean.startsWith("!");
  const text = bringsBack ? clean.slice(1) : clean;
  return { bringsBack, text, matches: compile(text) };
}

const SPECIAL = /[*?[\]\\]/;

function compile(text: string): (path: string) => boolean {
  if (!SPECIAL.test(text)) return (path) => path === text;
  const expression = toRegExp(text);
  // Only stars at the very start or end: moby compares texts then, so that "**foo" also takes "xfoo".
  const [head, tail] = [text.slice(0, -2), text.slice(2)];
  if (text.startsWith("**") && !SPECIAL.test(tail))
    return (path) => path.endsWith(tail) || (tail.startsWith("/") && path === tail.slice(1));
  if (text.endsWith("**") && !SPECIAL.test(head)) return (path) => path.startsWith(head);
  return (path) => expression.test(path);
}

/** One piece of a pattern: `**` with its slash, an escape, a class, or a single character. */
const PIECE = /\*\*\/?|\\(?:.|$)|\[(?:\\.|[^\]\\])+\]|./gsu;

function toRegExp(text: string): RegExp {
  const pieces = text.match(PIECE) ?? [];
  const source = pieces.map((piece, i) => translate(piece, i === pieces.length - 1, text)).join("");
  try {
    return new RegExp(`^${source}$`, "u");
  } catch {
    throw new IgnorePatternError(text, "not a valid pattern");
  }
}

function translate(piece: string, last: boolean, text: string): string {
  if (piece.startsWith("**")) return last ? ".*" : "(?:.*/)?";
  if (piece === "*") return "[^/]*";
  if (piece === "?") return "[^/]";
  if (piece === "^") return piece;
  if (piece.startsWith("\\")) return translateEscape(piece.slice(1), text);
  if (piece === "[") throw new IgnorePatternError(text, 'a "[" without its "]"');
  if (piece.length > 1 && piece.startsWith("[")) return translateClass(piece.slice(1, -1), text);
  return escapeLiteral(piece);
}

function translateEscape(char: string, text: string): string {
  if (char === "") throw new IgnorePatternError(text, "a backslash at the end escapes nothing");
  if (/[A-Za-z0-9]|[^\p{ASCII}]/u.test(char))
    throw new IgnorePatternError(text, "a backslash before a letter or digit");
  return escapeLiteral(char);
}

/** Builders give stars, question marks, open ends and names inside of a class meanings that nobody intends: refused. */
function translateClass(inner: string, text: string): string {
  const negated = inner.startsWith("^");
  const members = negated ? inner.slice(1) : inner;
  const plain = /^[\p{L}\p{N}_ .,@+=~%-]+$/u.test(members) && !members.startsWith("-") && !members.endsWith("-");
  if (!plain) throw new IgnorePatternError(text, "an odd character class");
  return `[${negated ? "^" : ""}${members}]`;
}

function escapeLiteral(char: string): string {
  return char.replaceAll(/[\\^$.*+?()[\]{}|/]/gu, "\\$&");
}

function withoutTrailingGlob(text: string): string {
  return text.replace(/\/\*\*$/, "").replace(/\/\*$/, "");
}
