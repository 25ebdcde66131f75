import assert from "node:assert/strict";
import { once } from "node:events";
import ssh2, { type ServerChannel, type Connection as ServerSide } from "ssh2";
import { connection } from "../../../../plugins/command/remote/connection.ts";
import { runRemotely } from "../../../../plugins/command/remote/run.ts";

const keys = ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 });

/** Servers whose timing OpenSSH's server can't be told to have. */
describe("runRemotely", () => {
  const run = async (act: (channel: ServerChannel, client: ServerSide) => void, stdin = "") => {
    const clients: ServerSide[] = [];
    const server = new ssh2.Server({ hostKeys: [keys.private] }, (client) => {
      clients.push(client);
      client
        .on("error", () => {})
        .on("authentication", (context) => context.accept())
        .on("session", (accept) => accept().on("exec", (begin) => act(begin(), client)));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    try {
      return await runRemotely(
        {
          command: "x",
          connection: connection.parse({ host: "127.0.0.1", port: address.port, dialErrorLimit: 0 }),
          ...{ environment: {}, optional: {}, stdin, logging: undefined },
        },
        { agent: undefined, signal: new AbortController().signal, say: () => {} },
        { line: () => {}, warn: () => {}, error: () => {} },
      );
    } finally {
      for (const client of clients) client.end();
      server.close();
    }
  };

  it("hears the end of a command that comes with its beginning", async () => {
    const ended = (code: number) => (channel: ServerChannel) => {
      channel.write("out\n");
      channel.exit(code);
      channel.end();
    };
    assert.deepEqual(await run(ended(0)), { stdout: "out", stderr: "" });
    await assert.rejects(run(ended(7)), /Process exited with status 7: running "x":\nout/);
  });

  it("does not fail for input that the command leaves unread", async () => {
    const { stdout } = await run((channel) => {
      channel.write("done");
      channel.exit(0);
      channel.close();
    }, "y".repeat(3_000_000));
    assert.equal(stdout, "done");
  });

  it("says so where nobody said how the command ended", async () => {
    await assert.rejects(
      run((channel) => channel.close()),
      /remote command exited without exit status or exit signal: running "x"/,
    );
    await assert.rejects(
      run((_, client) => client.end()),
      /without exit status|closed/,
    );
  });
});
