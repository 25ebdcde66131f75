import assert from "node:assert/strict";
import { builderNodes } from "../../core/nodes.ts";

describe("builderNodes", () => {
  it("takes one machine as one node, whatever runs on it", () => {
    const local = [{ name: "local", native: ["linux/arm64"], emulated: ["linux/amd64"] }];
    for (const choice of [
      "auto",
      "embedded",
      "docker",
      { docker: { image: "mirror.example/buildkit:v0.31.0" } },
    ] as const)
      assert.deepEqual(builderNodes(choice, "linux/arm64"), local);
  });

  it("lets remote nodes build what they are listed for, and a cluster what it has", () => {
    const nodes = [{ name: "a", platforms: ["linux/amd64"] as const }];
    assert.deepEqual(builderNodes({ remote: { nodes } }, "linux/arm64"), [
      { name: "a", native: ["linux/amd64"], emulated: [] },
    ]);
    assert.deepEqual(builderNodes({ kubernetes: {} }, "linux/amd64"), [
      { name: "kubernetes", native: ["linux/amd64"], emulated: [] },
    ]);
  });
});
