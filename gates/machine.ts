import type { Finding } from "../core/finding.ts";
import { applySettings, type GateSettings } from "../core/gate-settings.ts";
import type { MachinePlan } from "../core/machine-plan.ts";
import { cudaPlanFindings } from "./cuda-arch.ts";
import { cudaDriverFindings } from "./cuda-driver.ts";
import type { Gate } from "./gate.ts";

/** The list of architectures against the machine's card and its track's toolkit. */
const cudaArchPlan: Gate<MachinePlan> = {
  id: "cuda-arch",
  description: "the machine's card runs what keelson:cudaArchs lists, and the track's toolkit compiles for it",
  severity: "error",
  check({ profile: { machine, gpu }, cuda, services }) {
    if (gpu === undefined || cuda === undefined) return [];
    const { archs, track, listed } = cuda;
    // The card's own, which nobody wrote, is nothing to services that run without it.
    if (!listed && services.length > 0 && services.every((service) => !service.gpu)) return [];
    const targets = [{ machine, capability: gpu.capability }];
    return cudaPlanFindings({ subject: listed ? "keelson:cudaArchs" : "keelson:machine", archs, track, targets });
  },
};

/** The machine's driver against its track. */
const cudaDriver: Gate<MachinePlan> = {
  id: "cuda-driver",
  description: "the machine's NVIDIA driver runs what the CUDA track builds",
  severity: "error",
  check({ profile: { machine, gpu, driver }, cuda }) {
    if (gpu === undefined || cuda === undefined) return [];
    const { track, archs } = cuda;
    return cudaDriverFindings({ machine, capability: gpu.capability, tegra: gpu.tegra, driver, track, archs });
  },
};

/** The gates on a stack's machine, at preview. */
export const MACHINE_GATES: readonly Gate<MachinePlan>[] = [cudaArchPlan, cudaDriver];

/** All that the gates find on a machine's plan, under a stack's settings. */
export function judgeMachine(plan: MachinePlan, settings: GateSettings = {}): Finding[] {
  return applySettings(
    MACHINE_GATES.flatMap((gate) => gate.check(plan)),
    settings,
  );
}
