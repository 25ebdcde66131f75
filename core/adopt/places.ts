import type { Place } from "./facts.ts";

/** @example formatPlace({ file: "Makefile", line: 3 }) // "Makefile:3" */
export function formatPlace({ file, line }: Place): string {
  return `${file}:${line}`;
}

/** The first few of a list, and how many more there are. */
export function someOf(items: readonly string[], count = 3, between = ", "): string {
  const shown = items.slice(0, count).join(between);
  return items.length > count ? `${shown} and ${items.length - count} more` : shown;
}
