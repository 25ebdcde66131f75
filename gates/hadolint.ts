import type { Finding, Severity } from "../core/finding.ts";
import type { GateSettings } from "../core/gate-settings.ts";
import type { HadolintHit, HadolintReport } from "../core/hadolint.ts";
import { printable } from "../core/printable.ts";
import type { DockerfileGate } from "./gate.ts";

const SEVERITY: Readonly<Record<HadolintHit["level"], Severity>> = {
  error: "error",
  warning: "warning",
  info: "info",
  style: "info",
};

/** hadolint could not read the file. */
const UNREADABLE = "DL1000";

/**
 * What hadolint says of a Dockerfile, with its own levels. It only reads what hadolint was asked before: a gate starts
 * nothing.
 */
export const hadolint: DockerfileGate = {
  id: "hadolint",
  description: "hadolint's and ShellCheck's rules (hadolint/DL3020, hadolint/SC2046), with their own severities",
  severity: "warning",
  check({ name, dockerfile, hadolint: hits = [] }) {
    return hits.flatMap(({ code, level, line, message }): Finding[] => {
      const where = { file: dockerfile.file, line: Math.max(line, 1) };
      const found = { rule: `hadolint/${code}`, subject: name, where };
      if (code !== UNREADABLE)
        return [{ ...found, severity: SEVERITY[level], message: printable(message), fix: explain(code) }];
      // What the builder can't read either has its finding already; the rest is syntax that hadolint doesn't know yet.
      if (dockerfile.findings.length > 0) return [];
      const fix = "write it another way, or turn hadolint/DL1000 off in keelson:gates and do without its rules here";
      const what = `hadolint can't read this line, so it checked nothing of the file: ${printable(message)}`;
      return [{ ...found, severity: "warning", message: what, fix }];
    });
  },
};

function explain(code: string): string {
  const wiki = code.startsWith("SC") ? "https://www.shellcheck.net/wiki" : "https://github.com/hadolint/hadolint/wiki";
  return `see ${wiki}/${code}; or allow hadolint/${code} in keelson:gates, with the reason`;
}

/** One finding where hadolint could not be asked. */
export function hadolintObstacle({ obstacle }: HadolintReport): Finding[] {
  if (obstacle === undefined) return [];
  return [{ rule: "hadolint/missing", severity: "warning", subject: "hadolint", ...obstacle }];
}

/**
 * Rules that are off unless a stack sets them by name, and why: another gate knows better, or hadolint can't know what
 * they ask in a Dockerfile whose base and contexts the program passes.
 */
export const OFF: Readonly<Record<string, string>> = {
  DL3002: "gate user: it reads the built image; hadolint takes a build stage's USER for the image's",
  DL3006: "gate lineage: bases come by digest; what hadolint takes for an image without a tag is a named context",
  DL3007: "gate lineage: no literal FROM passes",
  DL3008: "gate pinned (apt): it knows locked .deb files",
  DL3009: "gate leftovers (apt): it reads the layers",
  DL3013: "gate pinned (pip): it knows --require-hashes",
  DL3016: "gate pinned (npm)",
  DL3018: "gate pinned (apk)",
  DL3019: "gate leftovers (apk): it reads the layers",
  DL3022: "gate lineage: what hadolint takes for an unknown stage is a named context",
  DL3026: "gate lineage: no image comes from anywhere but the catalogue and bases.lock.json",
  DL3042: "gate leftovers (pip): it reads the layers",
  DL3057: "gate health: it knows the definition's",
  DL3060: "gate leftovers (npm): it reads the layers",
  DL3062: "gate pinned (go)",
  DL3066: "gate user: it reads the built image; only its last USER is looked up by a host",
};

/** {@link OFF} as severities, which a stack's own win over. */
export const HADOLINT_DEFAULTS: NonNullable<GateSettings["severity"]> = Object.fromEntries(
  Object.keys(OFF).map((code) => [`hadolint/${code}`, "off"]),
);
