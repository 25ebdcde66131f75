import type { Heredoc } from "./model.ts";
import { substitute } from "./substitute.ts";

/** What a word says of its here-document. */
export type HeredocHead = Pick<Heredoc, "name" | "expand" | "chomp">;

const HEREDOC = /^\d*<<(-?)\s*([^<]*)$/;
const NO_VALUES = () => undefined;

/** The head of a here-document in one word, if it is one. @example parseHeredocWord("<<-'EOF'") */
export function parseHeredocWord(word: string): HeredocHead | undefined {
  const match = HEREDOC.exec(word);
  const raw = match?.[2] ?? "";
  if (match === null || raw === "") return undefined;
  const bare = substitute(raw, NO_VALUES, "\\", { keepUnset: true });
  const quoted = substitute(raw, NO_VALUES, "\\", { keepUnset: true, rawQuotes: true });
  if (!bare.ok || !quoted.ok || bare.words.length !== 1) return undefined;
  const name = bare.words[0] ?? "";
  return { name, expand: quotes(name) === quotes(quoted.words[0] ?? ""), chomp: match[1] === "-" };
}

/** The here-documents that a line opens, in order; none where the line's quotes or variables do not close. */
export function heredocsOf(line: string): HeredocHead[] {
  const split = substitute(line, NO_VALUES, "\\", { keepUnset: true, rawQuotes: true, rawEscapes: true });
  return split.ok ? split.words.flatMap((word) => parseHeredocWord(word) ?? []) : [];
}

function quotes(text: string): number {
  return text.replace(/[^'"]/g, "").length;
}
