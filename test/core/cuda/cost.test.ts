import assert from "node:assert/strict";
import { type CudaArch, machineCosts, parseArchs } from "../../../core/cuda.ts";

const archs = (list: string): readonly CudaArch[] => parseArchs(list, { subject: "list" }).archs;
const built = {
  file: "images/kernels/cu121.built.json",
  archs: [
    { arch: "8.6", sass: 300, ptx: 20 },
    { arch: "8.9", sass: 50, ptx: 5 },
  ],
};

describe("machineCosts", () => {
  it("counts what was built: what the own card doesn't pick in one image for all, the own code in one for each", () => {
    const [cost] = machineCosts([{ image: "kernels", archs: archs("8.6;8.9+PTX"), budget: 1e9, built }], "8.9");
    assert.deepEqual(cost, { image: "kernels", together: 300, apart: 55, source: built.file });
    const [other] = machineCosts([{ image: "kernels", archs: archs("8.6;8.9+PTX"), budget: 1e9, built }], "8.6");
    assert.deepEqual([other?.together, other?.apart], [55, 300]);
  });

  it("estimates from the budget where nothing was built, and says so", () => {
    const [cost] = machineCosts([{ image: "kernels", archs: archs("8.6;8.9"), budget: 1e9 }], "8.9");
    assert.deepEqual([cost?.together, cost?.apart], [105_000_000, 105_000_000]);
    assert.match(cost?.source ?? "", /^an estimate: /);
    const [unknown] = machineCosts([{ image: "kernels", archs: archs("8.6;8.9") }], "8.9");
    assert.deepEqual([unknown?.together, unknown?.apart], [undefined, undefined]);
    assert.match(unknown?.source ?? "", /^never built/);
  });

  it("costs nothing more where a list has the own card alone", () => {
    assert.equal(machineCosts([{ image: "kernels", archs: archs("8.9"), budget: 1e9 }], "8.9")[0]?.together, 0);
  });

  it("is the profile's layer alone where the code comes ready-made, and nothing where none is baked", () => {
    const [service, family] = machineCosts(
      [
        { image: "service-torch-cu121", profile: 700, budget: 3e9 },
        { image: "family-torch-cu121", budget: 3e9 },
      ],
      "8.9",
    );
    assert.deepEqual([service?.together, service?.apart], [0, 700]);
    assert.deepEqual([family?.together, family?.apart], [0, 0]);
  });
});
