import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { Finding } from "../core/finding.ts";

/**
 * Findings about a stack's config with the line of its file where each one's key stands, or the nearest key above it.
 * @param text of the stack's file
 * @example locate([{ subject: "keelson:builder.remote", … }], "config:\n  keelson:builder:\n    remote: 7\n", "Pulumi.dev.yaml")[0].where
 * // { file: "Pulumi.dev.yaml", line: 3 }
 */
export function locate(findings: readonly Finding[], text: string, file: string): Finding[] {
  const lines = new LineCounter();
  const config = parseDocument(text, { lineCounter: lines }).get("config");
  return findings.map((finding) => {
    if (finding.where?.line !== undefined || (finding.where?.file ?? file) !== file) return finding;
    const offset = isMap(config) ? offsetOf(config, finding.subject) : undefined;
    return offset === undefined ? finding : { ...finding, where: { file, line: lines.linePos(offset).line } };
  });
}

/** Where the key at a path begins, or the last one on the way that is there; undefined where not even the first is. */
function offsetOf(node: unknown, path: string): number | undefined {
  if (isMap(node)) {
    const [pair] = node.items
      .filter(({ key }) => begins(path, String(isScalar(key) ? key.value : key)))
      .toSorted((a, b) => String(b.key).length - String(a.key).length);
    if (pair === undefined) return undefined;
    const rest = path.slice(String(isScalar(pair.key) ? pair.key.value : pair.key).length).replace(/^\./, "");
    return offsetOf(pair.value, rest) ?? (pair.key as Node).range?.[0];
  }
  const [whole, index] = /^\[(\d+)\]\.?/.exec(path) ?? [];
  if (!isSeq(node) || whole === undefined) return undefined;
  const item = node.items[Number(index)] as Node | undefined;
  return offsetOf(item, path.slice(whole.length)) ?? item?.range?.[0];
}

/** Keys may have dots of their own. */
function begins(path: string, key: string): boolean {
  return path === key || path.startsWith(`${key}.`) || path.startsWith(`${key}[`);
}
