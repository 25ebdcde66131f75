import assert from "node:assert/strict";
import { median } from "../../core/median.ts";

describe("median", () => {
  for (const [values, middle] of [
    [[5], 5],
    [[3, 1, 2], 2],
    [[4, 1, 2, 3], 2.5],
    [[10, 9, 100], 10],
  ] as const)
    it(`of ${values.join(", ")} is ${middle}`, () => assert.equal(median(values), middle));

  it("of nothing is an error", () => assert.throws(() => median([]), RangeError));
});
