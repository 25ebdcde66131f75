import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { type ResolvedNode, silentNodes } from "../../toolchain/builder.ts";

describe("silentNodes", () => {
  const node = (name: string, address?: string): ResolvedNode => ({
    name,
    native: ["linux/amd64"],
    emulated: [],
    builder: `keelson-${name}`,
    ...(address === undefined ? {} : { address }),
  });

  it("names the nodes that don't answer, and asks none that buildx starts itself", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    try {
      const nodes = [
        node("up", `tcp://127.0.0.1:${port}`),
        node("down", "tcp://127.0.0.1:1"),
        node("absent", "unix:///no/such.sock"),
        node("ssh", "ssh://build@example"),
        node("cluster"),
      ];
      assert.deepEqual(
        (await silentNodes(nodes)).map(({ name }) => name),
        ["down", "absent"],
      );
    } finally {
      server.close();
    }
  });
});
