import type { PlannedSandbox } from "./cloudflare/sandbox-plan.ts";
import { describePlace, type PlannedApp, type PlannedCluster } from "./cluster-plan.ts";
import type { MachineCost } from "./cuda.ts";
import type { PlannedMachine } from "./machine-plan.ts";
import type { Plan, PlannedImage } from "./plan.ts";
import { formatBytes } from "./size.ts";
import { formatTable } from "./table.ts";
import type { PlannedVolume } from "./volume/volume.ts";

/** A plan as a table for people. */
export function formatPlan(plan: Plan): string {
  const where = plan.registry === "embedded" ? "the embedded registry" : plan.registry;
  const rows = plan.images.map((image) => [
    image.name,
    image.base.name,
    image.builds.map((b) => `${b.platform} (${b.mode} on ${b.node})`).join(", "),
    image.contentHash.slice(0, 12),
    image.tags.join(", ") || "-",
  ]);
  const bases = plan.bases.map(
    ({ name, origin, digest, lock }) =>
      `  ${name}: ${origin}${digest === undefined ? "" : ` ${digest}`}${lock === undefined ? "" : `, from ${lock}`}`,
  );
  return [
    `stack ${plan.stack}: ${count(plan.images)} to ${where}`,
    "",
    formatTable(["image", "base", "builds", "content", "tags"], rows),
    "",
    "external bases:",
    ...bases,
    ...(plan.machine === undefined ? [] : ["", ...formatMachine(plan.machine)]),
    ...(plan.volumes === undefined ? [] : ["", ...formatVolumes(plan.volumes)]),
    ...(plan.clusters ?? []).flatMap((cluster) => ["", ...formatCluster(cluster)]),
    ...(plan.sandboxes === undefined ? [] : ["", ...formatSandboxes(plan.sandboxes)]),
    ...(plan.gateway === undefined ? [] : ["", `npm run up runs ${plan.gateway} on this machine`]),
  ].join("\n");
}

function formatVolumes(volumes: readonly PlannedVolume[]): string[] {
  const rows = volumes.map((v) => {
    const where = v.backend === "embedded" ? "the embedded R2" : v.endpoint;
    return [v.name, v.backend, `${v.bucket}/${v.prefix}`, v.backend === "r2" && v.retain ? `${where}, kept` : where];
  });
  return [formatTable(["volume", "backend", "bucket", "where"], rows)];
}

function formatSandboxes(sandboxes: readonly PlannedSandbox[]): string[] {
  const rows = sandboxes.map((s) => [s.name, s.image, s.volume ?? "-", `${s.maxInstances} of ${s.instanceType}`]);
  return [formatTable(["at Cloudflare", "image", "volume", "instances"], rows)];
}

function formatCluster({ name, place, databases, apps, charts }: PlannedCluster): string[] {
  const rows = [
    ...databases.map((d) => [d.name, "database", d.namespace, d.as, d.size ?? "-"]),
    ...apps.map((a) => [a.name, "app", a.namespace, a.image, replicas(a)]),
    ...charts.map((c) => [
      c.name,
      "chart",
      c.namespace,
      `${c.chart}${c.version === undefined ? "" : ` ${c.version}`}`,
      "-",
    ]),
  ];
  return [
    `cluster ${name}: ${describePlace(place)}`,
    "",
    formatTable(["workload", "kind", "namespace", "runs", "size"], rows),
  ];
}

function replicas({ replicas: wanted }: PlannedApp): string {
  return typeof wanted === "number"
    ? `${wanted} ${wanted === 1 ? "pod" : "pods"}`
    : `${wanted.min} to ${wanted.max} pods`;
}

/** What each choice costs, images of the same cost in one row. */
function formatCosts(costs: readonly MachineCost[]): string[] {
  if (costs.length === 0) return [];
  const rows = [...Map.groupBy(costs, (c) => [c.together, c.apart, c.source].join())].map(([, [cost, ...rest]]) => [
    rest.length === 0 ? (cost?.image ?? "") : `${cost?.image} and ${rest.length} more`,
    bytesOrUnknown(cost?.together),
    bytesOrUnknown(cost?.apart),
    cost?.source ?? "",
  ]);
  return ["", formatTable(["image", "one for all machines adds", "one for each adds, a machine", "because"], rows)];
}

const bytesOrUnknown = (bytes: number | undefined): string => (bytes === undefined ? "unknown" : formatBytes(bytes));

function formatMachine({ profile, cuda, waves, services }: PlannedMachine): string[] {
  const { machine, gpu, cores } = profile;
  const rows = services.map((s) => [
    s.name,
    s.wave,
    s.image,
    String(s.port),
    s.gpu ? "yes" : "-",
    s.optional ? "optional" : "-",
  ]);
  return [
    `machine ${machine}: ${gpu === undefined ? "no GPU" : `${gpu.count} × ${gpu.name} (${gpu.capability})`}, ${cores} cores; ${services.length} services in ${waves.length} waves`,
    ...(cuda === undefined
      ? []
      : [
          `CUDA track ${cuda.track}: ${cuda.reason}`,
          `architectures: torch ${cuda.archs.torch}, CMake ${cuda.archs.cmake}, vllm ${cuda.archs.vllm}`,
        ]),
    ...formatCosts(cuda?.costs ?? []),
    "",
    formatTable(["service", "wave", "image", "port", "GPU", ""], rows),
  ];
}

function count(images: readonly PlannedImage[]): string {
  return images.length === 1 ? "1 image" : `${images.length} images`;
}
