import assert from "node:assert/strict";
import { torchArchList } from "../../core/cuda.ts";
import { type MachinePlanInput, planMachine } from "../../core/machine-plan.ts";
import { FLEET } from "../../images/fleet.ts";

const mainpc: MachinePlanInput = {
  stack: "mainpc",
  machine: { profile: "rtx-4090", driver: "550.54.14" },
  fleet: FLEET,
};
const pc2: MachinePlanInput = { stack: "pc2", machine: { profile: "rtx-3060", driver: "535.54.03" }, fleet: FLEET };

function planOf(input: MachinePlanInput) {
  const { plan, findings } = planMachine(input);
  assert.ok(plan, JSON.stringify(findings));
  return { plan, findings };
}

describe("a machine's plan", () => {
  it("of mainpc and of pc2 are 004's", () => {
    const a = planOf(mainpc).plan;
    const b = planOf(pc2).plan;
    assert.deepEqual([a.cuda?.track, a.cuda && torchArchList(a.cuda.archs)], ["cu121", "8.9"]);
    assert.deepEqual([b.cuda?.track, b.cuda && torchArchList(b.cuda.archs)], ["cu121", "8.6"]);
    const sizes = (plan: typeof a) => plan.waves.map((w) => `${w.name} ${w.placements.length}`);
    assert.deepEqual(sizes(a), ["core 3", "gpu-mainpc 18", "rest 24"]);
    assert.deepEqual(sizes(b), ["cpu-pc2 18", "rest 5"]);
  });

  it("changes in profile, architectures and services alone when the stack is switched", () => {
    const [a, b] = [planOf(mainpc).plan, planOf(pc2).plan];
    assert.deepEqual(Object.keys(a), Object.keys(b));
    const changed = Object.keys(a.environment).filter((key) => a.environment[key] !== b.environment[key]);
    assert.deepEqual(Object.keys(a.environment), Object.keys(b.environment));
    assert.deepEqual(changed, [
      "MACHINE",
      "MODEL_EVICT_THRESHOLD_PCT",
      "NUMBA_CACHE_SIZE",
      "OMP_NUM_THREADS",
      "PYTORCH_ALLOC_CONF",
      "PYTORCH_CUDA_ALLOC_CONF",
      "THREAD_WORKERS",
      "TORCH_CUDA_ALLOC_CONF",
    ]);
    assert.deepEqual(Object.keys(a.buildArgs), Object.keys(b.buildArgs));
    assert.deepEqual(
      Object.entries(a.buildArgs).map(([key, value]) =>
        key === "MACHINE_PROFILE" ? JSON.parse(value).machine : value,
      ),
      ["mainpc", "mainpc", "89-real", "8.9", "8.9"],
    );
  });

  it("builds one image for both machines where the list unites their cards", () => {
    const both = { cudaArchs: "8.6;8.9" };
    const [a, b] = [planOf({ ...mainpc, ...both }).plan, planOf({ ...pc2, ...both }).plan];
    assert.deepEqual(a.cuda?.archs, b.cuda?.archs);
    assert.equal(a.buildArgs.TORCH_CUDA_ARCH_LIST, "8.6;8.9");
  });

  it("falls back to cu118 for an older driver, and says so", () => {
    const { plan } = planOf({ ...pc2, machine: { profile: "rtx-3060", driver: "525.147.05" } });
    assert.equal(plan.cuda?.track, "cu118");
    assert.match(plan.cuda?.reason ?? "", /driver 525\.147\.05 of pc2 is older than 535/);
  });

  it("takes the track that the stack names", () => {
    assert.equal(planOf({ ...mainpc, cudaTrack: "cu124" }).plan.cuda?.track, "cu124");
  });

  it("has no CUDA on a machine without a GPU, whose GPU services are findings", () => {
    const { plan, findings } = planOf({ ...pc2, machine: { profile: "none" } });
    assert.equal(plan.cuda, undefined);
    assert.deepEqual(Object.keys(plan.buildArgs), ["MACHINE", "MACHINE_PROFILE"]);
    assert.equal(findings.filter((f) => f.rule === "fleet/no-gpu").length, 5);
  });

  it("names what is wrong with machine and list at once", () => {
    const { plan, findings } = planMachine({
      ...mainpc,
      machine: { profile: "rtx-4090", cores: -1, gpuMemory: "1 MiB" },
      cudaArchs: "8.4;natve",
    });
    assert.equal(plan, undefined);
    assert.deepEqual(
      findings.map((f) => f.rule),
      ["cuda-arch/notation", "cuda-arch/unknown", "machine/impossible", "machine/impossible"],
    );
  });

  it("is the same each time", () => {
    assert.equal(JSON.stringify(planMachine(mainpc)), JSON.stringify(planMachine(structuredClone(mainpc))));
  });
});
