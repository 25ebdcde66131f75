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
 * What the rows of a fleet get wrong, with the faults of an exchange told once, by its key, and for the services that run here alone.
 * @param found of the rows with their families exchanged
 * @param here placements that run
 */
export function exchangeFindings(
  fleet: Fleet,
  exchanged: Readonly<Record<string, string>> = {},
  found: readonly Finding[],
  here: readonly Placement[],
): Finding[] {
  const pairs = Object.entries(exchanged).map(([from, to]) => ({ from, to, family: resolveBase(from, fleet)?.family }));
  const isLack = ({ rule }: Finding) => rule === "fleet/missing-need";
  const moved = fleet.rows.flatMap((row) => {
    const family = resolveBase(row.base, fleet)?.family;
    const pair = pairs.find((one) => one.family === family && resolveBase(one.to, fleet)?.family !== family);
    return pair === undefined ? [] : [{ ...pair, row: row.service }];
  });
  const others = found.filter((one) => !isLack(one) || !moved.some(({ row }) => row === one.subject));
  const lacks = found.filter(isLack).flatMap((one) => {
    const pair = moved.find(({ row }) => row === one.subject);
    return pair !== undefined && here.some(({ row }) => row === pair.row) ? [{ ...one, pair }] : [];
  });
  return [
    ...others,
    ...[...Map.groupBy(lacks, ({ pair, message }) => `${pair.from} ${message}`).values()].flatMap((same): Finding[] => {
      const [first] = same;
      if (first === undefined) return [];
      const { pair, message, fix, rule, severity } = first;
      const names = same.map(({ subject }) => subject);
      return [
        {
          rule,
          severity,
          subject: `keelson:families.${pair.from}`,
          message: `${names.slice(0, 4).join(", ")}${names.length > 4 ? ` and ${names.length - 4} more` : ""}: ${message}`,
          fix: `${fix}, or leave ${names.length === 1 ? "it" : "them"} out of keelson:services`,
        },
      ];
    }),
  ];
}

/**
 * The placements of a machine that a stack wants, with what they can't do without: Redis, where one of them uses it.
 * @returns the placements, and a finding for each name that the machine has no service of; or for the machine, where no row names it.
 */
export function selectServices(
  placements: readonly Placement[],
  machine: string,
  wanted: readonly string[] | undefined,
): { readonly placements: readonly Placement[]; readonly findings: readonly Finding[] } {
  const here = placements.filter((p) => p.machine === machine);
  if (wanted === undefined) return { placements: here, findings: here.length === 0 ? noRow(placements, machine) : [] };
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

/** A machine that the whole fleet passes over: right for a stack that is for images alone, which its gates' settings can say. */
function noRow(placements: readonly Placement[], machine: string): Finding[] {
  const machines = [...new Set(placements.map((p) => p.machine))].toSorted();
  if (machines.length === 0) return [];
  return [
    {
      rule: "fleet/no-row",
      severity: "warning",
      subject: "keelson:machine",
      message: `${machine} runs no service: its stack's name is the machine's, and no row of images/fleet.ts has it, only ${machines.join(", ")}`,
      fix: `name the stack as the machine in the rows, or add it to rows; where none is to run, set fleet/no-row to off in keelson:gates.severity${hint(machine, machines)}`,
    },
  ];
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
