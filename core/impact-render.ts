import { formatSeconds } from "./duration.ts";
import type { ImageImpact, Impact, PastBuilds } from "./impact.ts";
import { printable } from "./printable.ts";
import { escapeMarkdown } from "./report/document.ts";
import { formatBytes } from "./size.ts";

/** What becomes of a workload. */
const WORKLOAD = { new: "is new", changed: "starts anew", removed: "is removed" } as const;

/** Further changes of one image that are spelt out; JSON has all. */
const SHOWN = 5;

/** The first changes, and how many there are more. */
function some(changes: readonly string[]): string[] {
  const more = changes.length - SHOWN;
  return more > 1 ? [...changes.slice(0, SHOWN), `${more} more changes`] : [...changes];
}

/** An impact as text for a terminal. */
export function formatImpact(impact: Impact): string {
  if (impact.images.length === 0 && impact.removed.length === 0 && impact.workloads.length === 0)
    return `no image rebuilds; ${impact.unchanged} stay as they are`;
  return [
    headline(impact),
    ...impact.images.flatMap((i) => [
      `  ${i.image}${i.kind === "new" ? " (new)" : ""}${i.forecast === undefined ? "" : `: ${forecast(i.forecast)}`}`,
      ...i.reason.map((reason) => `    ← ${printable(reason)}`),
      ...some(i.alsoChanged).map((c) => `    and ${printable(c)}`),
      ...(i.services.length === 0 ? [] : [`    run by ${i.services.join(", ")}`]),
    ]),
    ...impact.removed.map((name) => `  ${name}: no longer in the plan`),
    ...impact.workloads.flatMap((w) => [
      `  ${w.workload} ${WORKLOAD[w.kind]}`,
      ...some(w.changes).map((change) => `    ← ${printable(change)}`),
    ]),
  ].join("\n");
}

/** An impact as Markdown, for a pull request. */
export function impactMarkdown(impact: Impact): string {
  const row = (i: ImageImpact) =>
    `| \`${i.image}\` | ${escapeMarkdown([i.reason.join(" ← "), ...some(i.alsoChanged)].join("; "))} | ${i.forecast === undefined ? "unknown" : forecast(i.forecast)} |`;
  const services = impact.images.flatMap((i) => i.services);
  return [
    `**${headline(impact)}**`,
    ...(impact.images.length === 0
      ? []
      : ["", "| image | why | forecast |", "|---|---|---|", ...impact.images.map(row)]),
    ...(services.length === 0
      ? []
      : ["", `Services that get a new image: ${services.map((s) => `\`${s}\``).join(", ")}`]),
    ...(impact.removed.length === 0
      ? []
      : ["", `No longer in the plan: ${impact.removed.map((r) => `\`${r}\``).join(", ")}`]),
    ...(impact.workloads.length === 0 ? [] : ["", "| workload | what | why |", "|---|---|---|"]),
    ...impact.workloads.map(
      (w) => `| ${w.workload} | ${WORKLOAD[w.kind]} | ${escapeMarkdown(some(w.changes).join("; "))} |`,
    ),
  ].join("\n");
}

function headline({ images, unchanged, forecast: sum }: Impact): string {
  const count = images.length === 1 ? "1 image rebuilds" : `${images.length} images rebuild`;
  const rest = `${unchanged} stay${unchanged === 1 ? "s" : ""} as ${unchanged === 1 ? "it is" : "they are"}`;
  if (sum === undefined)
    return `${count}, ${rest}${images.length === 0 ? "" : "; no forecast: none was built here before"}`;
  const unknown = sum.unknown === 0 ? "" : `, ${sum.unknown} without a past build`;
  return `${count}, ${rest}; forecast ${forecast(sum)}${unknown}`;
}

function forecast({ seconds, bytes }: PastBuilds): string {
  return `${formatSeconds(seconds)}, ${formatBytes(bytes)} to push`;
}
