import assert from "node:assert/strict";
import { parseArchs, type Track } from "../../core/cuda.ts";
import { cudaDriverFindings } from "../../gates/cuda-driver.ts";

const plan = (driver: string | undefined, track: Track, list = "8.6", tegra = false) =>
  cudaDriverFindings({
    machine: "pc2",
    capability: "8.6",
    tegra,
    driver,
    track,
    archs: parseArchs(list, { subject: "test" }).archs,
  });

describe("CUDA track against the driver", () => {
  // [driver, track, list, finding]
  const table: [string | undefined, Track, string, string | undefined][] = [
    ["535.54.03", "cu121", "8.6", undefined],
    ["535.54.03", "cu121", "8.0+PTX;7.5", undefined],
    ["580.65.06", "cu118", "8.6", undefined],
    ["530.30.02", "cu121", "8.6", "warning cuda-driver/older-than-asked"],
    ["525.147.05", "cu121", "8.6", "warning cuda-driver/older-than-asked"],
    ["525.147.05", "cu121", "7.5+PTX", "error cuda-driver/ptx-refused"],
    ["525.60.12", "cu121", "8.6", "error cuda-driver/too-old"],
    ["470.256.02", "cu121", "8.6", "error cuda-driver/too-old"],
    ["470.256.02", "cu118", "8.6", undefined],
    ["470.256.02", "cu118", "compute_80", "error cuda-driver/ptx-refused"],
    ["440.33", "cu118", "8.6", "error cuda-driver/too-old"],
    ["535.54.03", "cu124", "8.6", "warning cuda-driver/older-than-asked"],
    ["550.54.14", "cu124", "8.6", undefined],
    [undefined, "cu121", "8.6", "warning cuda-driver/unknown"],
  ];
  for (const [driver, track, list, expected] of table)
    it(`driver ${driver}, ${track}, ${list}: ${expected ?? "fine"}`, () => {
      const [finding, ...more] = plan(driver, track, list);
      assert.equal(finding && `${finding.severity} ${finding.rule}`, expected);
      assert.deepEqual(more, []);
      if (finding) assert.equal(finding.subject, "keelson:machine.driver", "its key");
    });

  it("points to cu118 only where that would run", () => {
    assert.match(plan("470.256.02", "cu121")[0]?.fix ?? "", /use track cu118/);
    assert.equal(plan("440.33", "cu121")[0]?.fix, "update the driver");
    assert.equal(plan("440.33", "cu118")[0]?.fix, "update the driver");
  });

  it("does not judge Jetson's drivers", () => assert.deepEqual(plan("36.4.3", "cu121", "8.6", true), []));
});
