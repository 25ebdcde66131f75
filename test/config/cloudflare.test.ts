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

  it("refuses instances that no request reaches, unless a Worker of the project's own is there to use them", () => {
    const image = { account, image: "gateway-cloudflare" };
    assert.deepEqual(parse({ ...image, maxInstances: 1, steps: [100] })?.steps, [100]);
    assert.throws(() => parse({ ...image, maxInstances: 2 }), /gateway\.maxInstances.*one instance/s);
    const worker = "stacks/prod/worker.mjs";
    assert.deepEqual(parse({ ...image, worker, maxInstances: 3, steps: [10, 50, 100] })?.steps, [10, 50, 100]);
    for (const outside of ["../worker.mjs", "/worker.mjs", "worker.txt"])
      assert.throws(() => parse({ ...image, worker: outside }), /gateway\.worker.*inside the project/s);
  });

  it("refuses a rollout that Cloudflare would: steps of less than a tenth, and more of them than instances", () => {
    const image = { account, image: "gateway-cloudflare", worker: "worker.mjs" };
    assert.throws(() => parse({ ...image, maxInstances: 2, steps: [5, 100] }), /gateway\.steps.*\b10\b/s);
    assert.throws(
      () => parse({ ...image, steps: [10, 100] }),
      /gateway\.steps.*as many steps as maxInstances.*found \[10, 100\]/s,
    );
  });
});
