import { type Finding, type Severity, sortFindings } from "./finding.ts";
import type { Allowance } from "./image.ts";

/** A stack's `keelson:gates`: severity of a rule, and what is allowed in spite of it, with the reason. */
export interface GateSettings {
  /** By rule (`user/root`) or by gate (`user`). */
  readonly severity?: Readonly<Record<string, Severity | "off">>;
  readonly allow?: readonly { readonly rule: string; readonly subject: string; readonly reason: string }[];
}

/**
 * Findings under a stack's settings: what is allowed or off is left out, severities are the stack's, in report order.
 *
 * A setting for a rule wins over one for its gate. An allowance names a rule or a gate, and a subject: an image with
 * everything in it, one path in it (`worker:/etc/x`), or a pattern with `*`.
 * @example applySettings(findings, { allow: [{ rule: "secret/text", subject: "gateway:/app/test/*", reason: "test keys" }] })
 */
export function applySettings(findings: readonly Finding[], settings: GateSettings): Finding[] {
  const { severity = {}, allow = [] } = settings;
  const kept = findings.flatMap((finding): Finding[] => {
    const gate = finding.rule.split("/")[0] ?? "";
    if (allow.some((a) => (a.rule === finding.rule || a.rule === gate) && covers(a.subject, finding.subject)))
      return [];
    const wanted = severity[finding.rule] ?? severity[gate] ?? finding.severity;
    return wanted === "off" ? [] : [{ ...finding, severity: wanted }];
  });
  return sortFindings(kept);
}

/** A stack's settings, and what an image itself lives with. */
export function withAllowances(
  settings: GateSettings,
  { name, allow = [] }: { readonly name: string; readonly allow?: readonly Allowance[] },
): GateSettings {
  const own = allow.map(({ rule, path, reason }) => ({ rule, subject: `${name}:${path}`, reason }));
  return own.length === 0 ? settings : { ...settings, allow: [...(settings.allow ?? []), ...own] };
}

function covers(pattern: string, subject: string): boolean {
  if (pattern === subject || subject.startsWith(`${pattern}:`)) return true;
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(subject);
}
