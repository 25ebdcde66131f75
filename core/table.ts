/** Columns of characters below which a sentence in a cell reads worse than a line that the terminal breaks. */
const LEAST_LAST = 30;

/**
 * A plain-text table: columns as wide as their widest cell, numbers to the right.
 * @example formatTable(["image", "size"], [["worker", "489 MB"]])
 * @param width in characters: where it is too little, the last column's text is broken between words. Default: no limit.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width = Number.POSITIVE_INFINITY,
): string {
  const widths = header.map((h, i) => Math.max(h.length, ...rows.map((r) => (r[i] ?? "").length)));
  const last = widths.length - 1;
  const room = width - widths.slice(0, -1).reduce((sum, w) => sum + w + 2, 0);
  if (room < (widths[last] ?? 0) && room >= LEAST_LAST) {
    const broken = rows.flatMap((row) =>
      breakWords(row[last] ?? "", room).map((line, i) =>
        header.map((_, c) => (c === last ? line : i === 0 ? (row[c] ?? "") : "")),
      ),
    );
    return formatTable(header, broken);
  }
  const numeric = header.map(
    (_, i) => rows.length > 0 && rows.every((r) => /^(?:[+-]?\d[\d.,]*(?: ?\S{1,3})?|-|)$/.test(r[i] ?? "")),
  );
  const line = (cells: readonly string[]) =>
    widths
      .map((w, i) => (numeric[i] ? (cells[i] ?? "").padStart(w) : (cells[i] ?? "").padEnd(w)))
      .join("  ")
      .trimEnd();
  return [line(header), widths.map((w) => "─".repeat(w)).join("  "), ...rows.map(line)].join("\n");
}

/** Lines of at most so many characters, but where a word is longer. */
function breakWords(text: string, room: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= room) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
