import assert from "node:assert/strict";
import { artifactChanges, formatChanges } from "../../core/artifact-changes.ts";

const lock = (...packages: [name: string, version: string][]) => ({
  artifacts: packages.map(([name, version]) => ({
    file: `${name}_${version}.deb`,
    source: "debian:bookworm/x",
    integrity: `sha256-${"0".repeat(64)}`,
    size: 1,
    name,
    version,
  })),
});

describe("artifactChanges", () => {
  it("tells what moved, came and left, by name, once for all platforms", () => {
    const before = lock(["curl", "1"], ["curl", "1"], ["tar", "1"], ["gone", "3"]);
    const after = lock(["curl", "2"], ["curl", "2"], ["tar", "1"], ["came", "4"]);
    assert.deepEqual(artifactChanges(before, after), [
      { name: "came", to: "4" },
      { name: "curl", from: "1", to: "2" },
      { name: "gone", from: "3" },
    ]);
  });

  it("shows both versions where platforms differ", () => {
    assert.deepEqual(artifactChanges(lock(["a", "1"]), lock(["a", "1"], ["a", "1+b1"])), [
      { name: "a", from: "1", to: "1, 1+b1" },
    ]);
  });

  it("is written in columns", () => {
    const changes = artifactChanges(lock(["a", "1"]), lock(["a", "2"], ["long", "1"]));
    assert.equal(formatChanges(changes), "a     1 → 2\nlong  (new) → 1");
  });
});
