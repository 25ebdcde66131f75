import assert from "node:assert/strict";
import fc from "fast-check";
import { Limiter } from "../../../plugins/keelson/limiter.ts";

describe("Limiter", () => {
  it("never runs more than its limit, and runs all, whatever fails", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.boolean(), { maxLength: 12 }),
        async (limit, jobs) => {
          const limiter = new Limiter(limit);
          let running = 0;
          let most = 0;
          const outcomes = await Promise.allSettled(
            jobs.map((works) =>
              limiter.run(async () => {
                most = Math.max(most, ++running);
                await new Promise((resolve) => setImmediate(resolve));
                running--;
                if (!works) throw new Error("no");
              }),
            ),
          );
          assert.deepEqual(
            outcomes.map((o) => o.status === "fulfilled"),
            jobs,
          );
          assert.ok(most <= limit);
          assert.equal(await limiter.run(async () => "free"), "free");
        },
      ),
      { numRuns: 50 },
    );
  });
});
