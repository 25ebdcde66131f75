/** How bad a finding is: an `error` stops the run, a `warning` is shown, `info` is told when asked. */
export type Severity = "error" | "warning" | "info";

/**
 * What a gate, a lint or a diagnosis found: the one shape that all of them return.
 * @example
 * { rule: "lineage/unknown-base", severity: "error", subject: "worker-minimal",
 *   message: 'base "debain:bookworm-slim" is no image of the catalogue and no base of bases.lock.json',
 *   fix: 'write one of: debian:bookworm-slim', where: { file: "images/worker-minimal/image.ts" } }
 */
export interface Finding {
  /** `gate/check`, in kebab case; stable, so that allow-lists can name it. */
  readonly rule: string;
  readonly severity: Severity;
  /** What it is about: an image, a workload, a config key. */
  readonly subject: string;
  /** What was expected, what was found. */
  readonly message: string;
  /** What to do. */
  readonly fix: string;
  readonly where?: { readonly file: string; readonly line?: number };
}

const RANK: Record<Severity, number> = { error: 0, warning: 1, info: 2 };

/** Findings in the order that every report uses: errors first, then by subject, rule, place. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  const key = (f: Finding) => [RANK[f.severity], f.subject, f.rule, f.where?.file ?? "", f.where?.line ?? 0, f.message];
  return findings.toSorted((a, b) => compareKeys(key(a), key(b)));
}

function compareKeys(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as string | number, b[i] as string | number];
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

/** One finding as plain text, two lines: what, then what to do. */
export function formatFinding(f: Finding): string {
  return `${f.severity}: ${describeFinding(f)}`;
}

/** {@link formatFinding} without its severity: for a log that writes one itself, as the engine's does. */
export function describeFinding(f: Finding): string {
  const where = f.where ? ` (${f.where.file}${f.where.line === undefined ? "" : `:${f.where.line}`})` : "";
  return `${f.subject}: ${f.message} [${f.rule}]${where}\n  fix: ${f.fix}`;
}
