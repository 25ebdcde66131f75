import type { Severity } from "../core/finding.ts";
import { DOCKERFILE_GATES, IMAGE_GATES } from "./index.ts";
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
