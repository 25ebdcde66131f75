/** What npm prints of an error beside what it was. */
const NPM_LINE = /^npm (?:error|ERR!) *(?:(?:code|errno|syscall|path) \S+$|A complete log of this run)?/;
/** With this cargo ends, and the error stood before it. */
const CARGO_END = /^error: (?:failed to compile|could not compile|build failed)/;

/**
 * The line of a log that most likely says what went wrong: npm's first and cargo's first error, whose last lines are the same for
 * all; of all others the last line that speaks of an error, or the last.
 * @example causeIn("npm error code E404\nnpm error 404 Not Found - GET https://…/x\n") // "404 Not Found - GET https://…/x"
 * @returns at most 300 characters; empty where the log is
 */
export function causeIn(log: string): string {
  const lines = log
    .split("\n")
    .map((l) => l.trim())
    .filter((l) => l !== "" && !l.startsWith("at "));
  const line = npmCause(lines) ?? cargoCause(lines) ?? lastError(lines) ?? lines.at(-1) ?? "";
  return line.slice(0, 300);
}

function npmCause(lines: readonly string[]): string | undefined {
  return lines
    .filter((l) => NPM_LINE.test(l))
    .map((l) => l.replace(NPM_LINE, ""))
    .find((l) => l !== "" && !l.startsWith(" can be found in"));
}

function cargoCause(lines: readonly string[]): string | undefined {
  if (!lines.some((l) => CARGO_END.test(l))) return undefined;
  return lines.find((l) => /^error(?:\[E\d+\])?:/.test(l) && !CARGO_END.test(l));
}

function lastError(lines: readonly string[]): string | undefined {
  return lines.findLast((l) => /error|fail|cannot|can't|refused|not found|no such|denied/i.test(l));
}
