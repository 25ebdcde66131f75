import { binaryTargets } from "./check.ts";
import { entryOf, type PrismaBlock, type PrismaFile, type PrismaValue, parsePrisma } from "./schema.ts";

/**
 * A schema whose generator has more targets. All else is as it was: comments, order, indentation, line ends.
 * @param targets those that it has already are not added again
 * @returns undefined for targets that are not written out, `env("…")`, and for a generator that is not there
 */
export function addTargets(file: PrismaFile, generator: string, targets: readonly string[]): string | undefined {
  const block = file.blocks.find((b) => b.kind === "generator" && b.name === generator);
  if (block === undefined) return undefined;
  const had = binaryTargets(block);
  const added = targets.filter((target, i) => !had.includes(target) && targets.indexOf(target) === i);
  if (added.length === 0) return file.text;
  const entry = entryOf(block, "binaryTargets");
  const text = entry === undefined ? withEntry(file.text, block, added) : withItems(file.text, entry.value, added);
  // The edit is held to what it was to do: an edit that went wrong changes nothing.
  return text !== undefined && sameTargets(text, file, generator, added) ? text : undefined;
}

function sameTargets(text: string, file: PrismaFile, generator: string, added: readonly string[]): boolean {
  const block = parsePrisma(text, file.file).blocks.find((b) => b.kind === "generator" && b.name === generator);
  const now = block === undefined ? [] : binaryTargets(block);
  return added.every((target) => now.includes(target));
}

const quote = (text: string) => JSON.stringify(text);

/** A new line after the provider's, its `=` where the block has them. `native` stays: it is what no line stood for. */
function withEntry(text: string, block: PrismaBlock, targets: readonly string[]): string | undefined {
  const after = entryOf(block, "provider") ?? block.entries[0];
  if (after === undefined) return undefined;
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const lineStart = text.lastIndexOf("\n", after.start) + 1;
  const indent = /^[ \t]*/.exec(text.slice(lineStart, after.start))?.[0] ?? "";
  const list = `[${["native", ...targets.filter((t) => t !== "native")].map(quote).join(", ")}]`;
  const before = text.slice(lineStart, after.start);
  const lineEnd = text.indexOf("\n", after.end);
  const rest = text.slice(after.end, lineEnd < 0 ? undefined : lineEnd);
  // Several things on one line: generator client { provider = "…" }
  if (before.trim() !== "" || rest.includes("}"))
    return `${text.slice(0, after.end)}${newline}  binaryTargets = ${list}${newline}${text.slice(after.end).trimStart()}`;
  const column = text.indexOf("=", after.start) - after.start;
  const key = "binaryTargets".padEnd(Math.max(column, "binaryTargets".length + 1));
  const at = lineEnd < 0 ? text.length : lineEnd + 1;
  return `${text.slice(0, at)}${indent}${key}= ${list}${newline}${text.slice(at)}`;
}

function withItems(text: string, value: PrismaValue, targets: readonly string[]): string | undefined {
  if (value.kind === "string") {
    const list = `[${[text.slice(value.start, value.end), ...targets.map(quote)].join(", ")}]`;
    return text.slice(0, value.start) + list + text.slice(value.end);
  }
  if (value.kind !== "list" || value.items.some((item) => item.kind !== "string")) return undefined;
  const last = value.items.at(-1);
  if (last === undefined) {
    const items = ["native", ...targets.filter((t) => t !== "native")].map(quote).join(", ");
    return text.slice(0, value.start + 1) + items + text.slice(value.start + 1);
  }
  const lineStart = text.lastIndexOf("\n", last.start) + 1;
  const indent = text.slice(lineStart, last.start);
  const isAlone = lineStart > value.start && /^[ \t]*$/.test(indent);
  if (!isAlone)
    return `${text.slice(0, last.end)}${targets.map((target) => `, ${quote(target)}`).join("")}${text.slice(last.end)}`;
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  // A comment after the last item stays on its line.
  const tail = /^[ \t]*(,?)[ \t]*(?:\/\/[^\r\n]*)?/.exec(text.slice(last.end, value.end)) ?? [""];
  const comma = tail[1] === ",";
  const line = comma ? tail[0] : `,${tail[0]}`;
  const lines = targets.map((target) => `${newline}${indent}${quote(target)}`).join(",");
  return `${text.slice(0, last.end)}${line}${lines}${comma ? "," : ""}${text.slice(last.end + tail[0].length)}`;
}
