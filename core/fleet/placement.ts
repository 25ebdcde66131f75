import type { Finding } from "../finding.ts";
import { hint } from "../lineage.ts";
import { type Fleet, type FleetRow, type Need, UNSPECIFIED } from "./row.ts";

/** A service on a machine, with everything that its row left open worked out. */
export interface Placement {
  /** The service's name without a machine's. @example "UnifiedObservabilityCenter" */
  readonly service: string;
  readonly machine: string;
  /** The row that it is from, as it names itself. */
  readonly row: string;
  /** Family to build on, without a CUDA track. @example "family-torch" */
  readonly family: string;
  /** CUDA track that the row names; the stack's own track wins. */
  readonly track?: string;
  readonly needs: readonly Need[];
  readonly optionalNeeds: readonly Need[];
  /** What its notes say that it works with, in the order of {@link USES}. */
  readonly uses: readonly Use[];
  /** The fleet works without it. */
  readonly optional: boolean;
  readonly entrypoint: string;
  readonly port: number;
  /** What says that it is healthy: a path that answers 200 on its port, or a command that exits 0. */
  readonly health: { readonly path: string } | { readonly command: readonly string[] };
  /** PORT, HEALTH_PORT, SERVICE, and REDIS_URL where it uses Redis. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Things that notes name, by the word that stands for them. */
export const USES = [
  "redis",
  "sqlite",
  "docker.sock",
  "grpc",
  "websocket",
  "prometheus",
  "torch",
  "vllm",
  "whisper",
  "xtts",
  "opencv",
] as const;
export type Use = (typeof USES)[number];

/** Redis, which runs as a workload of its own on each machine where a service uses it. Its port is Redis' own. */
const REDIS: Omit<Placement, "machine"> = {
  service: "Redis",
  row: "Redis",
  family: "redis",
  needs: ["cpu"],
  optionalNeeds: [],
  uses: [],
  optional: false,
  entrypoint: "redis-server",
  port: 6379,
  health: { command: ["redis-cli", "ping"] },
  environment: {},
};

/**
 * The placements of a fleet: its rows on their machines, by these rules.
 * - A row for several machines yields to a row of the same service for fewer of them.
 * - An open entrypoint is the one known from elsewhere, else the fleet's default; an open health path is /health.
 * - HEALTH_PORT is the row's port.
 * - Redis runs on each machine where a service's notes name it.
 * @example placeFleet(FLEET).placements.length // 68: 65 rows, four of them for both machines, two that yield, one Redis
 * @returns placements in the table's order, Redis first on its machine, and what is wrong with the rows, all at once.
 */
export function placeFleet(fleet: Fleet): {
  readonly placements: readonly Placement[];
  readonly findings: readonly Finding[];
} {
  const findings = fleet.rows.flatMap((row) => rowFindings(row, fleet));
  const wishes = fleet.rows.flatMap((row) =>
    row.machines.map((machine) => ({ row, machine, service: serviceName(row) })),
  );
  const fewest = new Map<string, number>();
  for (const { row, machine, service } of wishes) {
    const key = slot(service, machine);
    fewest.set(key, Math.min(row.machines.length, fewest.get(key) ?? Number.POSITIVE_INFINITY));
  }
  const services = wishes
    .filter(({ row, machine, service }) => row.machines.length === fewest.get(slot(service, machine)))
    .map(({ row, machine, service }) => place(row, machine, service, fleet));
  const machines = [...new Set(services.filter((p) => p.uses.includes("redis")).map((p) => p.machine))];
  const redis = machines.map((machine): Placement => ({ ...REDIS, machine }));
  return { placements: [...redis, ...services], findings: [...findings, ...duplicates(services)] };
}

/** Every row on every machine that it names, nothing yielding: the table as it is written, for showing what would clash. */
export function placeAsWritten(fleet: Fleet): readonly Placement[] {
  return fleet.rows.flatMap((row) => row.machines.map((machine) => place(row, machine, row.service, fleet)));
}

function slot(service: string, machine: string): string {
  return `${service} on ${machine}`;
}

function place(row: FleetRow, machine: string, service: string, fleet: Fleet): Placement {
  const { family, track } = resolveBase(row.base, fleet) ?? { family: row.base, track: undefined };
  const words = row.notes.toLowerCase().split(/[\s+/,]+/);
  const uses = USES.filter((use) => words.includes(use));
  const environment = {
    HEALTH_PORT: String(row.port),
    PORT: String(row.port),
    ...(uses.includes("redis") ? { REDIS_URL: `redis://redis:${REDIS.port}/0` } : {}),
    SERVICE: service,
  };
  return {
    service,
    machine,
    row: row.service,
    family,
    ...(track === undefined ? {} : { track }),
    needs: row.needs,
    optionalNeeds: row.optionalNeeds,
    uses,
    optional: row.notes.trim() === "optional",
    entrypoint:
      row.entrypoint === UNSPECIFIED ? (fleet.entrypoints[service] ?? fleet.defaultEntrypoint) : row.entrypoint,
    port: row.port,
    health: { path: row.health === UNSPECIFIED ? "/health" : row.health },
    environment,
  };
}

/** @example serviceName({ service: "RealTimeAudioPipelinePC2", machines: ["pc2"], … }) // "RealTimeAudioPipeline" */
export function serviceName(row: Pick<FleetRow, "service" | "machines">): string {
  for (const machine of row.machines) {
    const name = row.service.toLowerCase();
    for (const suffix of [`(${machine})`, machine]) {
      const rest = row.service.slice(0, -suffix.length).trimEnd();
      if (name.endsWith(suffix.toLowerCase()) && rest !== "") return rest;
    }
  }
  return row.service;
}

/** Family and CUDA track of a base as a row writes it; undefined where no family has that name. */
export function resolveBase(
  base: string,
  fleet: Pick<Fleet, "families">,
): { family: string; track?: string } | undefined {
  const { name = base, track } = /^(?<name>.+)-(?<track>cu\d{3})$/.exec(base)?.groups ?? {};
  const found = Object.entries(fleet.families).find(([key, f]) => key === name || f.aliases?.includes(name));
  if (found === undefined || (track !== undefined && found[1].cuda !== true)) return undefined;
  return { family: found[0], ...(track === undefined ? {} : { track }) };
}

function rowFindings(row: FleetRow, fleet: Fleet): Finding[] {
  const findings: Finding[] = [];
  const report = (check: string, message: string, fix: string) => {
    findings.push({ rule: `fleet/${check}`, severity: "error", subject: row.service, message, fix });
  };
  if (row.machines.length === 0)
    report("no-machine", "expected at least one machine, found none", "name a machine in its row");
  if (!Number.isInteger(row.port) || row.port < 1 || row.port > 65_535)
    report("port", `expected a port from 1 to 65535, found ${row.port}`, "correct the row's port");
  if (row.health !== UNSPECIFIED && !/^\/[\x21-\x7e]*$/.test(row.health))
    report(
      "health",
      `expected a path such as /health, found ${JSON.stringify(row.health)}`,
      "write a path that starts with /",
    );
  const base = resolveBase(row.base, fleet);
  if (base === undefined) {
    const known = Object.entries(fleet.families).flatMap(([name, f]) => [name, ...(f.aliases ?? [])]);
    report(
      "unknown-family",
      `expected a family of the catalogue, found "${row.base}"`,
      `write one of: ${known.join(", ")}, with -cu118, -cu121 or -cu124 where it has CUDA${hint(row.base, known)}`,
    );
    return findings;
  }
  const provides = fleet.families[base.family]?.provides ?? [];
  const ADDED: readonly Need[] = ["audio", "docker"];
  for (const need of row.needs.filter((n) => !provides.includes(n) && !ADDED.includes(n))) {
    const fitting = Object.keys(fleet.families).filter((name) => fleet.families[name]?.provides.includes(need));
    report("missing-need", `needs ${need}, which ${base.family} lacks`, `build it on ${fitting.join(" or ")}`);
  }
  return findings;
}

function duplicates(placements: readonly Placement[]): Finding[] {
  const seen = new Map<string, Placement>();
  return placements.flatMap((p): Finding[] => {
    const key = slot(p.service, p.machine);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, p);
    if (first === undefined) return [];
    const message = `two rows place ${key} alike: "${first.row}" and "${p.row}"`;
    return [
      {
        rule: "fleet/duplicate",
        severity: "error",
        subject: p.service,
        message,
        fix: "remove one, or name fewer machines in one",
      },
    ];
  });
}
