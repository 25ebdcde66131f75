import assert from "node:assert/strict";
import { requireSandboxBase } from "../../../core/cloudflare/sandbox-base.ts";
import type { Plan } from "../../../core/plan.ts";

describe("requireSandboxBase", () => {
  const plan = (base: string, origin: string) =>
    ({
      images: [
        { name: "core", base: { kind: "external", name: base } },
        { name: "dev", base: { kind: "image", name: "core" } },
      ],
      bases: [{ name: base, origin }],
    }) as unknown as Pick<Plan, "images" | "bases">;

  it("takes Cloudflare's own image below any image of the lineage", () => {
    for (const name of ["core", "dev"]) requireSandboxBase(plan("cloudflare/sandbox:0.7.0", "upstream"), name);
  });

  it("refuses another base, a stand-in, and one that only begins so", () => {
    const refuse = (base: string, origin: string, message: RegExp) =>
      assert.throws(() => requireSandboxBase(plan(base, origin), "dev"), { name: "UserError", message });
    refuse("debian:bookworm-slim", "upstream", /found that dev is made from debian:bookworm-slim$/);
    refuse("cloudflare/sandbox-of-mine:1", "upstream", /is made from cloudflare\/sandbox-of-mine:1$/);
    refuse("cloudflare/sandbox:0.7.0", "bootstrapped", /stand-in for cloudflare\/sandbox:0\.7\.0, of packages$/);
    assert.throws(() => requireSandboxBase(plan("debian:1", "upstream"), "nobody"), RangeError);
  });
});
