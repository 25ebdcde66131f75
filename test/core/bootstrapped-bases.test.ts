import assert from "node:assert/strict";
import type { LockedBase } from "../../core/base.ts";
import { bootstrappedAway } from "../../core/bootstrapped-bases.ts";
import type { PlannedBase } from "../../core/plan.ts";

const digest = `sha256:${"1".repeat(64)}`;
const planned = (origin: PlannedBase["origin"]): PlannedBase => ({
  name: "debian:bookworm-slim",
  platforms: ["linux/amd64"],
  origin,
  contentHash: "",
});
const locked = (more: Partial<LockedBase> = {}): LockedBase => ({
  name: "debian:bookworm-slim",
  platforms: ["linux/amd64"],
  ...more,
});
const told = (registry: string, base = planned("bootstrapped"), lock = locked()) =>
  bootstrappedAway(registry, "acme/keelson", [base], [lock]);

describe("bootstrappedAway", () => {
  it("tells where a base made from packages goes, why it is made, and what pins upstream's", () => {
    const [finding, ...more] = told("ghcr.io");
    assert.deepEqual(more, []);
    assert.equal(finding?.severity, "warning");
    assert.match(
      finding?.message ?? "",
      /pushed to ghcr\.io\/acme\/keelson\/library\/debian: images\/bases\.lock\.json has no digest of docker\.io's/,
    );
    assert.match(finding?.fix ?? "", /bases update` where it answers, and commit the lock; or set keelson:bases/);
  });

  it("says so where the lock has a digest that this machine can't get", () => {
    const [finding] = told("ghcr.io", planned("bootstrapped"), locked({ digest }));
    assert.match(finding?.message ?? "", new RegExp(`docker\\.io does not give ${digest} to this machine`));
    assert.match(finding?.fix ?? "", /^let this machine reach docker\.io; or set keelson:bases/);
  });

  it("tells of files that are a lock's where they could be a base's", () => {
    const base = { ...planned("bootstrapped"), lock: "images/gpu/cu121.lock.json" };
    const [finding] = told("ghcr.io", base, locked({ digest }));
    assert.equal(
      finding?.message,
      `is not what images have its files from, which go to ghcr.io/acme/keelson, but images/gpu/cu121.lock.json: docker.io does not give ${digest} to this machine`,
    );
  });

  it("has nothing to say of upstream's own bases", () => {
    assert.deepEqual(told("ghcr.io", planned("upstream"), locked({ digest })), []);
  });

  for (const registry of ["embedded", "localhost", "localhost:5000", "127.0.0.1:5000"])
    it(`has nothing to say of ${registry}, where nobody else pulls`, () => assert.deepEqual(told(registry), []));

  for (const registry of ["localhost.example.org", "1270.example.org"])
    it(`takes ${registry} for another machine`, () => assert.equal(told(registry).length, 1));
});
