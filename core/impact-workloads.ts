import { sha256 } from "./hash.ts";
import type { Plan } from "./plan.ts";

/** A workload that starts anew for what its own settings say, whatever becomes of its image. */
export interface WorkloadImpact {
  /** @example "weft on vps1" */
  readonly workload: string;
  readonly kind: "new" | "changed" | "removed";
  /** Settings that changed, where the workload was there before. @example ["limits.memory 256 MiB → 512 MiB"] */
  readonly changes: readonly string[];
}

/**
 * Workloads on hosts and clusters that come, go or have other settings than before.
 * @example impactOnWorkloads(before, after) // [{ workload: "weft on vps1", kind: "changed", changes: ["port.publish 80 → 8080"] }]
 */
export function impactOnWorkloads(before: Plan, after: Plan): WorkloadImpact[] {
  const [was, is] = [workloads(before), workloads(after)];
  return [...new Set([...was.keys(), ...is.keys()])].toSorted().flatMap((workload): WorkloadImpact[] => {
    const [a, b] = [was.get(workload), is.get(workload)];
    if (a === undefined) return [{ workload, kind: "new", changes: [] }];
    if (b === undefined) return [{ workload, kind: "removed", changes: [] }];
    const changes = settingChanges(a, b);
    return changes.length === 0 ? [] : [{ workload, kind: "changed", changes }];
  });
}

function workloads({ hosts = [], clusters = [] }: Plan): Map<string, object> {
  const places = [
    ...hosts.map(({ name, services }) => ({ name, run: services })),
    ...clusters.map(({ name, apps, databases, charts }) => ({ name, run: [...apps, ...databases, ...charts] })),
  ];
  return new Map(places.flatMap(({ name, run }) => run.map((workload) => [`${workload.name} on ${name}`, workload])));
}

function settingChanges(was: object, is: object): string[] {
  const [a, b] = [leaves(was), leaves(is)];
  return [...new Set([...a.keys(), ...b.keys()])]
    .toSorted()
    .filter((key) => a.get(key) !== b.get(key))
    .map((key) => `${key} ${a.get(key) ?? "(unset)"} → ${b.get(key) ?? "(unset)"}`);
}

/** Every value of a tree by its path; of secrets, plans hold only the names. */
function leaves(value: unknown, path = ""): Map<string, string> {
  if (typeof value !== "object" || value === null) return new Map([[path, shown(String(value))]]);
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => [
      ...leaves(inner, path === "" ? key : Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`),
    ]),
  );
}

/** Of a text of many lines, such as an error page, that it is another one. */
function shown(text: string): string {
  return text.includes("\n") ? `sha256:${sha256(text).slice(0, 12)}` : text;
}
