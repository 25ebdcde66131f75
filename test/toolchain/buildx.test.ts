import assert from "node:assert/strict";
import { createArguments } from "../../toolchain/buildx.ts";

describe("createArguments", () => {
  it("makes a remote builder of one node", () => {
    assert.deepEqual(
      createArguments({ name: "keelson-local", driver: "remote", nodes: [{ endpoint: "unix:///run/b.sock" }] }),
      [["create", "--name", "keelson-local", "--driver", "remote", "unix:///run/b.sock"]],
    );
  });

  it("appends further nodes, each with its platforms and options", () => {
    const node = (arch: string) => ({
      name: arch,
      platforms: [`linux/${arch}` as "linux/amd64"],
      options: { a: "x=1,y=2" },
    });
    const calls = createArguments({ name: "k", driver: "kubernetes", nodes: [node("amd64"), node("arm64")] });
    const start = ["create", "--name", "k", "--driver", "kubernetes"];
    assert.deepEqual(calls, [
      [...start, "--node", "amd64", "--platform", "linux/amd64", "--driver-opt", '"a=x=1,y=2"'],
      [...start, "--append", "--node", "arm64", "--platform", "linux/arm64", "--driver-opt", '"a=x=1,y=2"'],
    ]);
  });
});
