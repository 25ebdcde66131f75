import type { Dockerfile, RunInstruction } from "../dockerfile.ts";
import { readShell, type ShellCommand } from "./shell/read.ts";

/**
 * The commands of a RUN with their lines in the file, here-documents included. Variables are `*`.
 * @example runCommands(file, run)[0] // { words: ["apt-get", "update"], line: 3, … }
 */
export function runCommands(file: Dockerfile, run: RunInstruction): ShellCommand[] {
  if (run.command.form === "exec") return [{ words: run.command.words, line: run.line, cwd: undefined, lost: true }];
  const { lines } = file;
  const head = run.heredocs[0]?.line ?? run.endLine + 1;
  const text = lines
    .slice(run.line - 1, head - 1)
    .map((line, index) => physical(line, index === 0, file.escapeToken))
    .join("\n");
  const bodies = run.heredocs.flatMap(({ content, line }) => readShell({ text: content, line, folder: "" }));
  // The words of `RUN <<EOF` itself are no command.
  return [...readShell({ text, line: run.line, folder: "" }).filter(({ words }) => words.length > 0), ...bodies];
}

/** A physical line as the shell sees it: keyword and flags taken off, comments between continued lines blanked. */
function physical(line: string, first: boolean, escapeToken: string): string {
  if (first) return line.replace(/^\s*(?:ONBUILD\s+)?RUN(?:\s+--[a-z]+=\S+)*/i, "");
  if (/^\s*(?:#|$)/.test(line)) return "\\";
  if (escapeToken === "`" && line.endsWith("`")) return `${line.slice(0, -1)}\\`;
  return /^\s*--(?:mount|network|security)=\S+\s*\\?$/.test(line) ? "\\" : line;
}
