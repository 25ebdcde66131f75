/**
 * A plain-text table: columns as wide as their widest cell, numbers to the right.
 * @example formatTable(["image", "size"], [["worker", "489 MB"]])
 */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((h, i) => Math.max(h.length, ...rows.map((r) => (r[i] ?? "").length)));
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
