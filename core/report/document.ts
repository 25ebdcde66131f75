import { printable } from "../printable.ts";
import { formatTable } from "../table.ts";

/** A part of a report, apart from how it is shown. */
export type Block =
  | { readonly kind: "title"; readonly text: string; readonly level: 1 | 2 | 3 }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly string[] }
  /** Folded up where the medium can. */
  | { readonly kind: "details"; readonly summary: string; readonly blocks: readonly Block[] }
  | { readonly kind: "table"; readonly header: readonly string[]; readonly rows: readonly (readonly string[])[] };

/** Shorthands that keep the reports readable. */
export const title = (text: string, level: 1 | 2 | 3 = 2): Block => ({ kind: "title", text, level });
export const text = (content: string): Block => ({ kind: "text", text: content });
export const list = (items: readonly string[]): Block => ({ kind: "list", items });
export const details = (summary: string, blocks: readonly Block[]): Block => ({ kind: "details", summary, blocks });
export const table = (header: readonly string[], rows: readonly (readonly string[])[]): Block => ({
  kind: "table",
  header,
  rows,
});

/** A report as GitHub-flavoured Markdown. What stands in cells can't break out of them. */
export function toMarkdown(blocks: readonly Block[]): string {
  return `${blocks.map(markdownBlock).join("\n\n")}\n`;
}

/** A report as plain text for a terminal. */
export function toText(blocks: readonly Block[]): string {
  return `${blocks.map(textBlock).join("\n\n")}\n`;
}

function markdownBlock(block: Block): string {
  switch (block.kind) {
    case "title":
      return `${"#".repeat(block.level)} ${escapeMarkdown(block.text)}`;
    case "text":
      return escapeMarkdown(block.text);
    case "list":
      return block.items.map((item) => `- ${escapeMarkdown(item)}`).join("\n");
    case "details":
      return `<details><summary>${escapeTags(block.summary)}</summary>\n\n${block.blocks.map(markdownBlock).join("\n\n")}\n\n</details>`;
    case "table":
      return markdownTable(block.header, block.rows);
  }
}

function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const numeric = header.map((_, i) => rows.length > 0 && rows.every((row) => isNumber(row[i] ?? "")));
  const line = (cells: readonly string[]) => `| ${cells.map(escapeMarkdown).join(" | ")} |`;
  return [line(header), `|${numeric.map((n) => (n ? " ---: " : " --- ")).join("|")}|`, ...rows.map(line)].join("\n");
}

const isNumber = (cell: string): boolean => /^[<>≤≥+-]?\d[\d.,]*(?: ?\S{1,3})?$|^-?$/.test(cell);

/** Text as Markdown shows it, whatever stands in it, in one line. */
export function escapeMarkdown(content: string): string {
  return printable(content).replaceAll(/[\\`*_<>|#[\]]/g, "\\$&");
}

/** For the one place where Markdown is HTML. */
const escapeTags = (content: string): string =>
  printable(content).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function textBlock(block: Block): string {
  switch (block.kind) {
    case "title":
      return underline(printable(block.text), block.level);
    case "text":
      return printable(block.text);
    case "list":
      return block.items.map((item) => `  • ${printable(item)}`).join("\n");
    case "details":
      return `${printable(block.summary)}\n\n${block.blocks.map(textBlock).join("\n\n")}`;
    case "table":
      return formatTable(
        block.header,
        block.rows.map((row) => row.map(printable)),
      );
  }
}

function underline(content: string, level: 1 | 2 | 3): string {
  return level === 3 ? content : `${content}\n${(level === 1 ? "═" : "─").repeat(content.length)}`;
}
