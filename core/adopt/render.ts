import type { Adoption } from "../adopt.ts";
import type { Finding, Severity } from "../finding.ts";
import { printable } from "../printable.ts";
import { type LineageNode, lineageGraph } from "./lineage-graph.ts";

/** The lineage as a tree for a terminal: what comes from outside at the left, what is built from it below. */
export function lineageTree(adoption: Adoption): string {
  const { nodes, edges } = lineageGraph(adoption);
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const children = Map.groupBy(
    edges.filter(({ kind }) => kind === "base"),
    ({ from }) => from,
  );
  const readers = Map.groupBy(
    edges.filter(({ kind }) => kind === "reads"),
    ({ to }) => to,
  );
  const shown = new Set<string>();
  const lines: string[] = [];
  const text = (node: LineageNode) => {
    if (!node.image) return printable(node.label);
    const reads = (readers.get(node.key) ?? []).map(({ from }) => byKey.get(from)?.label ?? from);
    const more = reads.length > 3 ? [...reads.slice(0, 2), `${reads.length - 2} more`] : reads;
    return printable(`${node.label}  (${node.image.id}${more.length > 0 ? `; reads ${more.join(", ")}` : ""})`);
  };
  const draw = (root: string) => {
    // Not recursive: a lineage may be deeper than the stack.
    const open = [{ key: root, head: "", tail: "" }];
    for (let next = open.pop(); next; next = open.pop()) {
      const { key, head, tail } = next;
      const node = byKey.get(key);
      if (!node) continue;
      const below = children.get(key) ?? [];
      const again = shown.has(key) && below.length > 0;
      lines.push(`${head}${text(node)}${again ? " …" : ""}`);
      if (shown.has(key)) continue;
      shown.add(key);
      for (const [index, { to }] of [...below.entries()].toReversed()) {
        const last = index === below.length - 1;
        open.push({ key: to, head: `${tail}${last ? "└─ " : "├─ "}`, tail: `${tail}${last ? "   " : "│  "}` });
      }
    }
  };
  const built = new Set(edges.filter(({ kind }) => kind === "base").map(({ to }) => to));
  for (const node of nodes) if (!built.has(node.key) && (node.image || children.has(node.key))) draw(node.key);
  // Images in a circle hang from nothing.
  for (const node of nodes) if (node.image && !shown.has(node.key)) draw(node.key);
  return lines.join("\n");
}

/** How many findings of one rule are shown before the rest is counted. */
const SHOWN = 8;

/**
 * Findings for a terminal, one paragraph a rule; below each kind of them, what mends it.
 * @param limit findings shown of each rule; Infinity for all.
 */
export function findingsText(findings: readonly Finding[], limit = SHOWN): string {
  const byRule = Map.groupBy(findings, ({ severity, rule }) => `${severity}\0${rule}`);
  const order: readonly Severity[] = ["error", "warning", "info"];
  const groups = [...byRule.values()].toSorted(
    ([a], [b]) => rank(a, order) - rank(b, order) || compare(a?.rule, b?.rule),
  );
  return groups.map((group) => paragraph(group, limit)).join("\n\n");
}

function rank(finding: Finding | undefined, order: readonly Severity[]): number {
  return finding ? order.indexOf(finding.severity) : order.length;
}

function compare(a = "", b = ""): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function paragraph(group: readonly Finding[], limit: number): string {
  const [first] = group;
  const line = ({ where, subject, message }: Finding) => {
    const place = where ? `${where.file}${where.line === undefined ? "" : `:${where.line}`}` : subject;
    return `  ${printable(`${place}  ${message}`)}`;
  };
  const kinds = Map.groupBy(group.slice(0, limit), ({ fix }) => fix);
  const shown = [...kinds].flatMap(([fix, alike]) => [...alike.map(line), `  fix: ${printable(fix)}`]);
  const last = shown.pop() ?? "";
  const more = group.length > limit ? [`  … and ${group.length - limit} more`] : [];
  const count = group.length === 1 ? "" : ` (${group.length})`;
  return [`${first?.severity}: ${first?.rule}${count}`, ...shown, ...more, last].join("\n");
}

/** What was read, in one line. */
export function summaryLine({ dockerfiles, images, builds, findings }: Adoption): string {
  const count = (severity: Severity) => findings.filter((one) => one.severity === severity).length;
  const plural = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;
  return `${plural(dockerfiles, "Dockerfile")}, ${plural(images.length, "image")}, ${plural(builds, "build")}: ${plural(count("error"), "error")}, ${plural(count("warning"), "warning")}, ${plural(count("info"), "note")}`;
}

/** The lineage in Graphviz's language. */
export function lineageDot(adoption: Adoption): string {
  const { nodes, edges } = lineageGraph(adoption);
  const quote = (text: string) => `"${printable(text).replace(/["\\]/g, "\\$&")}"`;
  return [
    "digraph lineage {",
    "  rankdir=LR;",
    '  node [shape=box, fontname="sans-serif"];',
    ...nodes.map(({ key, label, image }) => `  ${quote(key)} [label=${quote(label)}${image ? "" : ", style=dashed"}];`),
    ...edges.map(
      ({ from, to, kind }) => `  ${quote(from)} -> ${quote(to)}${kind === "reads" ? " [style=dotted]" : ""};`,
    ),
    "}",
  ].join("\n");
}

/** The lineage as a Mermaid diagram in Markdown. */
export function lineageMermaid(adoption: Adoption): string {
  const { nodes, edges } = lineageGraph(adoption);
  const ids = new Map(nodes.map(({ key }, index) => [key, `n${index}`]));
  const label = (text: string) => printable(text).replace(/[#"<>`]/g, (ch) => `#${ch.charCodeAt(0)};`);
  return [
    "```mermaid",
    "graph LR",
    ...nodes.map(
      ({ key, label: text, image }) => `  ${ids.get(key)}${image ? `["${label(text)}"]` : `(["${label(text)}"])`}`,
    ),
    ...edges.map(({ from, to, kind }) => `  ${ids.get(from)} ${kind === "reads" ? "-.->" : "-->"} ${ids.get(to)}`),
    "```",
  ].join("\n");
}

/** An adoption as plain JSON: no values of arguments, which may be secrets. */
export function adoptionJson(adoption: Adoption): string {
  const { images, findings, dockerfiles, builds } = adoption;
  const place = (link: Adoption["images"][number]["bases"][number]) => ({
    line: link.line,
    by: link.by,
    written: link.written,
    to: link.to,
  });
  return JSON.stringify(
    {
      schema: 1,
      dockerfiles,
      builds,
      images: images.map((image) => ({
        id: image.id,
        name: image.name,
        dockerfile: image.file.file,
        ...(image.target === undefined ? {} : { target: image.target }),
        bases: image.bases.map(place),
        reads: image.reads.map(place),
        tags: image.tags,
        platforms: image.platforms,
        builds: image.builds.map(({ file, line, by, name }) => ({
          file,
          line,
          by,
          ...(name === undefined ? {} : { name }),
        })),
      })),
      findings,
    },
    null,
    2,
  );
}
