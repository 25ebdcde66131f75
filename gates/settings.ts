import type { Finding } from "../core/finding.ts";
import type { GateSettings } from "../core/gate-settings.ts";
import { hint } from "../core/lineage.ts";
import { GATES } from "./catalogue.ts";

/** Settings that name no gate, or one whose findings stand whatever the settings are: they would change nothing. */
export function settingsFindings({ severity = {}, allow = [] }: GateSettings): Finding[] {
  return [
    ...Object.keys(severity).flatMap((rule) => ruleFindings(rule, "keelson:gates.severity")),
    ...allow.flatMap(({ rule }, i) => ruleFindings(rule, `keelson:gates.allow[${i}]`)),
  ];
}

function ruleFindings(rule: string, subject: string): Finding[] {
  const id = rule.split("/")[0] ?? "";
  const gate = GATES.find((g) => g.id === id);
  const finding = { severity: "warning", subject } as const;
  if (gate === undefined) {
    const known = [...new Set(GATES.filter((g) => !g.fixed).map((g) => g.id))];
    return [
      {
        ...finding,
        rule: "config/unknown-gate",
        message: `${JSON.stringify(rule)} names no gate, so it changes nothing`,
        fix: `write one of: ${known.join(", ")}; or one of their rules, as findings show them${hint(id, known)}`,
      },
    ];
  }
  if (!gate.fixed) return [];
  return [
    {
      ...finding,
      rule: "config/fixed-gate",
      message: `${JSON.stringify(rule)} changes nothing: what ${id} finds is an error always, since nothing can be built past it`,
      fix: "take it out, and mend what it finds",
    },
  ];
}
