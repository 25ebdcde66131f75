import type { PlannedMachine } from "./machine-plan.ts";
import type { Plan, PlannedImage } from "./plan.ts";
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
  const bases = plan.bases.map((b) => `  ${b.name}: ${b.origin}${b.digest === undefined ? "" : ` ${b.digest}`}`);
  return [
    `stack ${plan.stack}: ${count(plan.images)} to ${where}`,
    "",
    formatTable(["image", "base", "builds", "content", "tags"], rows),
    "",
    "external bases:",
    ...bases,
    ...(plan.machine === undefined ? [] : ["", ...formatMachine(plan.machine)]),
    ...(plan.volumes === undefined ? [] : ["", ...formatVolumes(plan.volumes)]),
  ].join("\n");
}

function formatVolumes(volumes: readonly PlannedVolume[]): string[] {
  const rows = volumes.map((v) => {
    const where = v.backend === "embedded" ? "the embedded R2" : v.endpoint;
    return [v.name, v.backend, `${v.bucket}/${v.prefix}`, v.backend === "r2" && v.retain ? `${where}, kept` : where];
  });
  return [formatTable(["volume", "backend", "bucket", "where"], rows)];
}

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
    "",
    formatTable(["service", "wave", "image", "port", "GPU", ""], rows),
  ];
}

function count(images: readonly PlannedImage[]): string {
  return images.length === 1 ? "1 image" : `${images.length} images`;
}
