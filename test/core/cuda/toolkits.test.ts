import assert from "node:assert/strict";
import fc from "fast-check";
import { capabilityOf } from "../../../core/cuda/capability.ts";
import { toolkitRefuses } from "../../../core/cuda/compatibility.ts";
import { GENERATIONS } from "../../../core/cuda/generations.ts";
import { TOOLKITS } from "../../../core/cuda/toolkits.ts";
import { compareVersions, isAtLeast, parseVersion } from "../../../core/cuda/version.ts";

// What `ptxas --help` of each toolkit lists for --gpu-name, without "sm_".
const BEFORE_13 = "50 52 53 60 61 62 70 72 75 80 86 87 89 90";
const FROM_13 = "75 80 86 87 88 89 90 90a 100 100a 100f 103 103a 103f 110 110a 110f 120 120a 120f 121 121a 121f";
const PTXAS: Record<string, string> = {
  "11.7": "35 37 50 52 53 60 61 62 70 72 75 80 86 87",
  "11.8": `35 37 ${BEFORE_13}`,
  "12.0": `${BEFORE_13} 90a`,
  "12.1": `${BEFORE_13} 90a`,
  "12.4": `${BEFORE_13} 90a`,
  "12.6": `${BEFORE_13} 90a`,
  "12.8": `${BEFORE_13} 90a 100 100a 101 101a 120 120a`,
  "12.9": `${BEFORE_13} 90a 100 100a 100f 101 101a 101f 103 103a 103f 120 120a 120f 121 121a 121f`,
  "13.0": FROM_13,
  "13.1": FROM_13,
  "13.2": FROM_13,
  "13.3": FROM_13,
  "13.4": `${FROM_13} 107 107a 107f`,
  "13.5": `${FROM_13} 107 107a 107f`,
};

describe("toolkits and the architectures that they compile for", () => {
  for (const [version, listed] of Object.entries(PTXAS))
    it(`CUDA ${version} takes exactly what its ptxas lists`, () => {
      const taken = GENERATIONS.flatMap((g) =>
        (["", "a", "f"] as const)
          .filter((variant) => toolkitRefuses(version, { capability: g.capability, variant }) === undefined)
          .map((variant) => `${g.capability.replace(".", "")}${variant}`),
      );
      assert.deepEqual(taken.toSorted(), listed.split(" ").toSorted());
    });

  it("tells not yet from no longer from never", () => {
    const refuses = (version: string, sm: number) =>
      toolkitRefuses(version, { capability: capabilityOf(sm), variant: "" });
    assert.deepEqual(refuses("12.1", 120), { reason: "not-yet", first: "12.8" });
    assert.deepEqual(refuses("11.7", 89), { reason: "not-yet", first: "11.8" });
    assert.deepEqual(refuses("12.0", 37), { reason: "dropped", last: "11.8" });
    assert.deepEqual(refuses("13.0", 61), { reason: "dropped", last: "12.9" });
    assert.deepEqual(refuses("13.0", 84), { reason: "unknown" });
    assert.deepEqual(toolkitRefuses("13.0", { capability: "8.9", variant: "a" }), { reason: "unknown" });
  });

  it("lists toolkits and capabilities in order, drivers rising", () => {
    for (const [i, next] of TOOLKITS.entries()) {
      const previous = TOOLKITS[i - 1];
      assert.ok(isAtLeast(next.driver, next.minimum), next.version);
      if (previous === undefined) continue;
      assert.ok(compareVersions(next.version, previous.version) > 0);
      assert.ok(compareVersions(next.driver, previous.driver) > 0);
      assert.ok(isAtLeast(next.minimum, previous.minimum));
    }
    const numbers = GENERATIONS.map((g) => Number(g.capability) * 10);
    assert.deepEqual(
      numbers.toSorted((a, b) => a - b),
      numbers,
    );
  });
});

describe("versions", () => {
  it("compare by number, part by part", () => {
    assert.ok(compareVersions("12.10", "12.9") > 0);
    assert.ok(isAtLeast("535.54.03", "535"));
    assert.ok(!isAtLeast("525", "525.60.13"));
    assert.equal(compareVersions("535", "535.0.0"), 0);
    assert.throws(() => compareVersions("12", "latest"), RangeError);
    for (const text of ["", "12.", ".1", "v12", "1.2.3.4.5", "-1", "1e3"]) assert.equal(parseVersion(text), undefined);
  });

  it("order totally", () => {
    const version = fc.array(fc.nat(999), { minLength: 1, maxLength: 4 }).map((parts) => parts.join("."));
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        assert.equal(Math.sign(compareVersions(a, b)), -Math.sign(compareVersions(b, a)) + 0);
        if (isAtLeast(a, b) && isAtLeast(b, c)) assert.ok(isAtLeast(a, c));
      }),
    );
  });
});
