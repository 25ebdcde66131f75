import assert from "node:assert/strict";
import { planSandboxes } from "../../../core/cloudflare/sandbox-plan.ts";

const choice = {
  ...{
    account: "0123456789abcdef0123456789abcdef",
    image: "gateway",
    instanceType: "standard-1",
    maxInstances: 1,
    workersDev: false,
    steps: [10, 100],
  },
  within: "15 min",
} as const;

describe("planSandboxes", () => {
  it("sorts them, counts in seconds, and says nothing of a volume that there is none of", () => {
    const planned = planSandboxes({
      b: { ...choice, volume: "tools", worker: "w.mjs" },
      a: { ...choice, volume: undefined },
    });
    assert.deepEqual(
      planned.map((one) => [one.name, one.within, "volume" in one, "worker" in one]),
      [
        ["a", 900, false, false],
        ["b", 900, true, true],
      ],
    );
  });

  it("rolls out as wrangler does where the config doesn't say: a single instance at once", () => {
    const { steps: _, ...plain } = choice;
    const planned = planSandboxes({ a: plain, b: { ...plain, maxInstances: 2 }, c: { ...plain, steps: [50, 100] } });
    assert.deepEqual(
      planned.map(({ steps }) => steps),
      [[100], [10, 100], [50, 100]],
    );
  });
});
