import assert from "node:assert/strict";
import fc from "fast-check";
import { retryDelay } from "../src/backoff.ts";

describe("retryDelay", () => {
  it("doubles from the first wait to the cap", () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => retryDelay(n, () => 1));
    assert.deepEqual(longest, [2, 4, 8, 16, 32, 64, 120, 120]);
    assert.equal(
      retryDelay(3, () => 0),
      4,
    );
  });

  it("stays between half and all of the wait, at any attempt and with any luck", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, luck) => {
        const full = Math.min(120, 2 * 2 ** Math.min(attempt - 1, 30));
        const delay = retryDelay(attempt, () => luck);
        return delay >= full / 2 && delay <= full;
      }),
    );
  });
});
