import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { type ResolvedNode, remoteBuilderName, silentNodes } from "../../toolchain/builder.ts";

describe("remoteBuilderName", () => {
  const arm = { name: "arm", address: "tcp://10.0.0.2:1234" };

  it("is the same for the same daemon, and another one for another daemon of the same name", () => {
    assert.match(remoteBuilderName(arm), /^keelson-remote-arm-[0-9a-f]{8}$/);
    assert.equal(remoteBuilderName({ ...arm }), remoteBuilderName(arm));
    assert.notEqual(remoteBuilderName({ ...arm, address: "tcp://10.0.0.3:1234" }), remoteBuilderName(arm));
    assert.notEqual(remoteBuilderName({ ...arm, tls: { ca: "/ca.pem" } }), remoteBuilderName(arm));
  });
});

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
