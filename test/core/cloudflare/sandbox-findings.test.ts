import assert from "node:assert/strict";
import { sandboxFindings } from "../../../core/cloudflare/sandbox-findings.ts";
import { planSandboxes } from "../../../core/cloudflare/sandbox-plan.ts";
import type { Plan } from "../../../core/plan.ts";
import { planVolume } from "../../../core/volume/volume.ts";

const [ACCOUNT, OTHER] = ["0123456789abcdef0123456789abcdef", "f".repeat(32)];
const choice = {
  ...{
    account: ACCOUNT,
    image: "gateway",
    instanceType: "standard-1",
    maxInstances: 1,
    workersDev: false,
    steps: [10, 100],
  },
  within: "15 min",
} as const;

describe("sandboxFindings", () => {
  const r2 = (account: string) =>
    planVolume("tools", {
      ...{ backend: "r2", account, storageClass: "Standard", access: "read-write", abortUploadsAfter: "1 d" },
      ...{ expire: [], lock: [], cors: [], retain: true },
    });
  const plan = (more: object = {}, origin = "upstream", platform = "linux/amd64") =>
    ({
      images: [
        { name: "gateway", base: { kind: "external", name: "cloudflare/sandbox:0.7.0" }, builds: [{ platform }] },
      ],
      bases: [{ name: "cloudflare/sandbox:0.7.0", origin }],
      volumes: [r2(ACCOUNT), planVolume("scratch", { backend: "embedded" })],
      sandboxes: planSandboxes({ gateway: { ...choice, ...more } }),
    }) as unknown as Plan;
  const told = (of: Plan) => sandboxFindings(of).map(({ rule, subject, message }) => `${rule} ${subject}: ${message}`);

  it("has nothing to say of Cloudflare's own base, for its platform, with a volume of the account", () => {
    assert.deepEqual(told(plan({ volume: "tools" })), []);
    assert.deepEqual(sandboxFindings({ images: [], bases: [] }), []);
  });

  it("refuses a stand-in for the base, and an image without linux/amd64, both at once", () => {
    assert.deepEqual(told(plan({}, "bootstrapped", "linux/arm64")), [
      "cloudflare/base keelson:cloudflare.gateway.image: expected an image on cloudflare/sandbox for Cloudflare's containers, found that gateway is made from a stand-in for cloudflare/sandbox:0.7.0, of packages",
      "cloudflare/platform keelson:cloudflare.gateway.image: expected an image for linux/amd64, which is all that Cloudflare's containers run, found gateway for linux/arm64",
    ]);
  });

  it("leaves an image that there is none of to those who know the catalogue", () => {
    assert.deepEqual(told(plan({ image: "nobody" })), []);
  });

  it("refuses a volume that there is none of, that no Worker can be bound to, or of another account", () => {
    const message = (more: object) => told(plan(more)).join();
    assert.match(message({ volume: "tool" }), /volume: "tool" is no volume of keelson:volumes/);
    assert.match(message({ volume: "scratch" }), /found scratch with backend embedded/);
    const elsewhere = { ...plan({ volume: "tools" }), volumes: [r2(OTHER)] };
    assert.match(told(elsewhere).join(), /found tools in another one/);
  });
});
