import assert from "node:assert/strict";
import { builderNodes, unreachableRegistry } from "../../core/nodes.ts";

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
    const nodes = [{ name: "a", address: "tcp://10.0.0.2:1234", platforms: ["linux/amd64"] as const }];
    assert.deepEqual(builderNodes({ remote: { nodes } }, "linux/arm64"), [
      { name: "a", native: ["linux/amd64"], emulated: [] },
    ]);
    assert.deepEqual(builderNodes({ kubernetes: {} }, "linux/amd64"), [
      { name: "kubernetes", native: ["linux/amd64"], emulated: [] },
    ]);
  });
});

describe("unreachableRegistry", () => {
  const remote = (...addresses: string[]) => ({
    remote: { nodes: addresses.map((address, i) => ({ name: `n${i}`, address, platforms: ["linux/amd64" as const] })) },
  });

  it("names every node that is not on this machine", () => {
    const found = unreachableRegistry(
      remote("unix:///run/b.sock", "tcp://10.0.0.2:1234", "ssh://build@arm", "tcp://localhost.example:1"),
      "embedded",
    );
    assert.deepEqual(
      found.map((f) => [f.severity, f.message.replace(/^expected a registry that (.*) reaches, .*$/, "$1")]),
      [
        ["error", "node n1 (tcp://10.0.0.2:1234)"],
        ["error", "node n2 (ssh://build@arm)"],
        ["error", "node n3 (tcp://localhost.example:1)"],
      ],
    );
  });

  it("names a cluster", () => assert.equal(unreachableRegistry({ kubernetes: {} }, "embedded").length, 1));

  it("finds nothing where builder and registry meet", () => {
    for (const choice of ["auto", "docker", remote("unix:///a", "tcp://127.0.0.1:1", "tcp://[::1]:1234")] as const)
      assert.deepEqual(unreachableRegistry(choice, "embedded"), []);
    assert.deepEqual(unreachableRegistry(remote("tcp://10.0.0.2:1234"), { host: "ghcr.io" }), []);
  });
});
