import { parseDockerfile } from "../core/dockerfile.ts";
import type { Finding, Severity } from "../core/finding.ts";
import type { GateSettings } from "../core/gate-settings.ts";
import type { CatalogueImage } from "../core/plan.ts";
import { DOCKERFILE_GATES, IMAGE_GATES, judgeDockerfile } from "./index.ts";
import { MACHINE_GATES } from "./machine.ts";

/** A gate as people read of it. */
export interface GateInfo {
  readonly id: string;
  /** When it runs: at preview, or on the built image before anything uses it. */
  readonly on: "plan" | "machine" | "Dockerfile" | "image";
  readonly severity: Severity;
  readonly description: string;
}

/** Checks of the plan itself; they are errors always, since nothing can be built past them. */
const PLAN_GATES: readonly GateInfo[] = [
  {
    id: "lineage",
    on: "plan",
    severity: "error",
    description:
      "bases are known, have the platforms, form no circle, and the Dockerfile takes its base from BASE_IMAGE",
  },
  { id: "dockerfile", on: "plan", severity: "error", description: "the builder can read the Dockerfile" },
];

/** Every gate, in the order that they run in. */
export const GATES: readonly GateInfo[] = [
  ...PLAN_GATES,
  ...MACHINE_GATES.map((gate) => info(gate, "machine")),
  ...DOCKERFILE_GATES.map((gate) => info(gate, "Dockerfile")),
  ...IMAGE_GATES.map((gate) => info(gate, "image")),
];

function info({ id, severity, description }: Omit<GateInfo, "on">, on: GateInfo["on"]): GateInfo {
  return { id, on, severity, description };
}

/** All that the Dockerfile gates find in a catalogue, at preview. */
export function judgeCatalogue(images: readonly CatalogueImage[], settings: GateSettings = {}): Finding[] {
  return images.flatMap(({ definition, folder, dockerfile }) =>
    judgeDockerfile(
      { name: definition.name, dockerfile: parseDockerfile(dockerfile, `${folder}/Dockerfile`) },
      settings,
    ),
  );
}
