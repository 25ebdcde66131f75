import type { Severity } from "../core/finding.ts";
import { DOCKERFILE_GATES } from "./dockerfiles.ts";
import { IMAGE_GATES } from "./index.ts";
import { MACHINE_GATES } from "./machine.ts";

/** A gate as people read of it. */
export interface GateInfo {
  readonly id: string;
  /** When it runs: at preview, or on the built image before anything uses it. */
  readonly on: "plan" | "machine" | "Dockerfile" | "image";
  readonly severity: Severity;
  readonly description: string;
  /** True where no setting changes what becomes of its findings. */
  readonly fixed?: true;
}

/** Checks of the plan itself; they are errors always, since nothing can be built past them. */
const FIXED: Readonly<Record<string, string>> = {
  definition: "every image.ts, and all files of the wanted images, can be read and say what they must",
  lineage: "bases are known, have the platforms, form no circle, and the Dockerfile takes its base from BASE_IMAGE",
  dockerfile: "the builder can read the Dockerfile",
  "python-lock": "an image's Python locks belong to its requirements",
  bases: "external bases can be had as keelson:bases wants them",
  builder: "a node of the builder builds each platform",
  config: "keelson:images names images of the catalogue",
  machine: "keelson:machine describes a machine that there can be",
  host: "keelson:workloads names hosts of keelson:hosts, and what each runs fits on it side by side",
  kubernetes:
    "keelson:workloads names clusters of keelson:kubernetes, and what each runs has a version, a port and a user",
  source: "keelson:sources names workspaces and packages that are there and that the image can build",
};

const PLAN_GATES: readonly GateInfo[] = [
  ...Object.entries(FIXED).map(([id, description]) => ({
    ...({ id, on: "plan", severity: "error", description, fixed: true } as const),
  })),
  { id: "fleet", on: "plan", severity: "error", description: "the machine has room, ports and cards for its services" },
  {
    id: "prisma",
    on: "plan",
    severity: "error",
    description:
      "every Prisma schema can be read, and its clients have what their image's platforms, libc and OpenSSL need",
  },
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
