import assert from "node:assert/strict";
import { type MachinePlanInput, planMachine } from "../../core/machine-plan.ts";
import { judgeMachine } from "../../gates/machine.ts";
import { FLEET } from "../../images/fleet.ts";

describe("gates on a stack's machine", () => {
  const rules = (stack: string, input: Omit<MachinePlanInput, "stack" | "fleet">) => {
    const { plan, findings } = planMachine({ stack, fleet: FLEET, ...input });
    assert.ok(plan, JSON.stringify(findings));
    return judgeMachine(plan).map((f) => `${f.severity} ${f.rule}`);
  };
  const mainpc = { profile: "rtx-4090", driver: "550.54.14" };
  const pc2 = { profile: "rtx-3060", driver: "535.54.03" };

  it("pass 004's two machines", () => {
    assert.deepEqual(rules("mainpc", { machine: mainpc }), []);
    assert.deepEqual(rules("pc2", { machine: pc2 }), []);
  });

  it("say what a list for both machines costs each: an entry that its card does not pick", () => {
    assert.deepEqual(rules("mainpc", { machine: mainpc, cudaArchs: "8.6;8.9" }), ["info cuda-arch/wasted"]);
    assert.deepEqual(rules("pc2", { machine: pc2, cudaArchs: "8.6;8.9" }), ["info cuda-arch/wasted"]);
  });

  it("fail mainpc's list on pc2", () => {
    assert.deepEqual(rules("pc2", { machine: pc2, cudaArchs: "8.9" }), [
      "error cuda-arch/missing",
      "info cuda-arch/wasted",
    ]);
  });

  it("warn of a driver that nobody named, and take cu118 for one that is too old for cu121", () => {
    assert.deepEqual(rules("pc2", { machine: { profile: "rtx-3060" } }), ["warning cuda-driver/unknown"]);
    assert.deepEqual(rules("pc2", { machine: { ...pc2, driver: "470.256.02" } }), []);
    assert.deepEqual(rules("pc2", { machine: { ...pc2, driver: "470.256.02" }, cudaTrack: "cu121" }), [
      "error cuda-driver/too-old",
    ]);
  });

  it("fail a card that no track compiles for", () => {
    const blackwell = { profile: "rtx-5090", driver: "580.65.06" };
    assert.deepEqual(rules("new", { machine: blackwell }), ["error cuda-arch/not-yet"]);
  });

  it("let a machine without a GPU be", () => {
    assert.deepEqual(rules("ci", { machine: { profile: "none" } }), []);
  });
});
