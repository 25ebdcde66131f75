import type { Plan, PlannedImage } from "./plan.ts";
import { formatTable } from "./table.ts";

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
  ].join("\n");
}

function count(images: readonly PlannedImage[]): string {
  return images.length === 1 ? "1 image" : `${images.length} images`;
}
