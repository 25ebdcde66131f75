import type { Finding } from "../finding.ts";
import { hint } from "../lineage.ts";
import { type Placement, resolveBase } from "./placement.ts";
import type { Fleet } from "./row.ts";

/** What a stack changes of its fleet. */
export interface FleetSelection {
  /** `keelson:services`: only these, by their rows' or services' names. Default: all of the machine. */
  readonly services?: readonly string[] | undefined;
  /** `keelson:families`: families to build on in place of others. @example { "legacy-py310-cpu": "base-cpu-pydeps" } */
  readonly families?: Readonly<Record<string, string>> | undefined;
}

/**
 * The fleet with its families exchanged; the table stays as it is.
 * @returns the fleet, and a finding for each name that no family has.
 */
export function exchangeFamilies(
  fleet: Fleet,
  exchanged: Readonly<Record<string, string>> = {},
): { readonly fleet: Fleet; readonly findings: readonly Finding[] } {
  const names = Object.entries(fleet.families).flatMap(([name, f]) => [name, ...(f.aliases ?? [])]);
  const findings = Object.entries(exchanged)
    .flat()
    .filter((name) => !names.includes(name))
    .map((name): Finding => unknown("keelson:families", "a family", name, names));
  if (findings.length > 0) return { fleet, findings };
  const target = new Map(
    Object.entries(exchanged).map(([from, to]) => [resolveBase(from, fleet)?.family, resolveBase(to, fleet)?.family]),
  );
  const rows = fleet.rows.map((row) => {
    const to = target.get(resolveBase(row.base, fleet)?.family);
    return to === undefined ? row : { ...row, base: to };
  });
  return { fleet: { ...fleet, rows }, findings: [] };
}

/**
 * The placements of a machine that a stack wants, with what they can't do without: Redis, where one of them uses it.
 * @returns the placements, and a finding for each name that the machine has no service of.
 */
export function selectServices(
  placements: readonly Placement[],
  machine: string,
  wanted: readonly string[] | undefined,
): { readonly placements: readonly Placement[]; readonly findings: readonly Finding[] } {
  const here = placements.filter((p) => p.machine === machine);
  if (wanted === undefined) return { placements: here, findings: [] };
  const names = here.map((p) => p.service);
  const findings = wanted
    .filter((name) => !here.some((p) => p.service === name || p.row === name))
    .map((name) => ({
      ...unknown("keelson:services", `a service of ${machine}`, name, names),
      ...(names.length > 0
        ? {}
        : { fix: `remove it: ${machine} has no services, since no row of images/fleet.ts names it` }),
    }));
  const chosen = here.filter((p) => wanted.includes(p.service) || wanted.includes(p.row));
  const redis = chosen.some((p) => p.uses.includes("redis"));
  return { placements: here.filter((p) => chosen.includes(p) || (redis && p.family === "redis")), findings };
}

function unknown(subject: string, what: string, found: string, known: readonly string[]): Finding {
  return {
    rule: "config/unknown-name",
    severity: "error",
    subject,
    message: `expected ${what}, found ${JSON.stringify(found)}`,
    fix: `write some of: ${known.join(", ")}${hint(found, known)}`,
  };
}
