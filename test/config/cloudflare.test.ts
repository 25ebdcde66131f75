import assert from "node:assert/strict";
import { parseStackConfig } from "../../config/stack.ts";

describe("keelson:cloudflare", () => {
  const account = "0123456789abcdef0123456789abcdef";
  const parse = (gateway: object) => parseStackConfig({ cloudflare: { gateway } }, "Pulumi.x.yaml").cloudflare.gateway;

  it("has one instance and a quarter of an hour by default", () => {
    assert.deepEqual(parse({ account, image: "gateway-cloudflare" }), {
      ...{ account, image: "gateway-cloudflare", instanceType: "standard-1", maxInstances: 1, workersDev: false },
      ...{ within: "15 min" },
    });
  });

  it("says all that is wrong, with where", () => {
    assert.throws(
      () => parse({ account: "acme", instanceType: "standard-9", steps: [50, 20], within: "soon", imgae: "x" }),
      (error: Error) =>
        ["account", "image", "instanceType", "steps", "within"].every((key) =>
          error.message.includes(`keelson:cloudflare.gateway.${key}`),
        ) && /imgae.*\n?.*image/.test(error.message),
    );
  });

  it("refuses what would have no effect: instances that no request reaches, and steps of a rollout of one", () => {
    const image = { account, image: "gateway-cloudflare" };
    assert.deepEqual(parse({ ...image, maxInstances: 1, steps: [100] })?.steps, [100]);
    assert.throws(
      () => parse({ ...image, maxInstances: 2, steps: [10, 100] }),
      /gateway\.maxInstances.*one instance.*gateway\.steps.*at once/s,
    );
  });
});
