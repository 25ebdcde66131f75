import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import ssh2, { type Connection as ServerSide } from "ssh2";
import { hostsOf } from "../../cli/host-session.ts";
import type { Terminal } from "../../cli/input.ts";
import { hostStatus } from "../../cli/status.ts";
import { UserError } from "../../core/error.ts";

const keys = ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 });
const DIGEST = `sha256:${"a".repeat(64)}`;

/** Commands on hosts, against a server that takes what they send and answers as a host's program would. */
describe("a host's session", () => {
  let server: ssh2.Server;
  let clients: ServerSide[];
  let commands: string[];
  let answer: { stdout: string; stderr: string; code: number; reads?: boolean; breaks?: boolean };
  let terminals: string[];
  let port: number;

  beforeEach(async () => {
    [clients, commands, terminals] = [[], [], []];
    answer = { stdout: "", stderr: "", code: 0 };
    server = new ssh2.Server({ hostKeys: [keys.private] }, (client) => {
      clients.push(client);
      client
        .on("error", () => {})
        .on("authentication", (context) => context.accept())
        .on("session", (accept) =>
          accept()
            .on("pty", (begin, _reject, { rows, cols }) => {
              terminals.push(`${cols}x${rows}`);
              begin?.();
            })
            .on("window-change", (_accept, _reject, { rows, cols }) => {
              terminals.push(`${cols}x${rows}`);
            })
            .on("exec", async (begin, _reject, { command }) => {
              commands.push(command);
              const channel = begin();
              if (answer.breaks) return void client.end();
              if (answer.reads) answer.stdout = await text(channel.stdin);
              channel.stderr.write(answer.stderr);
              channel.write(answer.stdout);
              channel.exit(answer.code);
              channel.end();
            }),
        );
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
  });
  afterEach(() => {
    for (const client of clients) client.end();
    server.close();
  });

  const hosts = (more: object = {}) => ({ vps1: { address: "127.0.0.1", port, hostKey: keys.public, ...more } });
  const open = async (more?: object) => {
    const [host] = await hostsOf("prod", hosts(more), "vps1");
    assert.ok(host);
    return host;
  };

  it("runs a verb with words that no shell reads, and gives its output and exit code", async () => {
    answer = { stdout: "out", stderr: "err", code: 7 };
    const said: string[] = [];
    const listener = { stdout: (c: Buffer) => said.push(`1 ${c}`), stderr: (c: Buffer) => said.push(`2 ${c}`) };
    const code = await (await open({ app: "clawft" })).run("exec", ["weft", "a b", "$(reboot)"], listener);
    assert.equal(code, 7);
    assert.deepEqual(said.toSorted(), ["1 out", "2 err"]);
    assert.match(commands[0] ?? "", /keelson-host exec clawft weft 'a b' '\$\(reboot\)'/);
  });

  it("passes what a command reads, and gives it a terminal of this one's size", async () => {
    answer = { stdout: "", stderr: "", code: 3, reads: true };
    const said: string[] = [];
    const listener = { stdout: (c: Buffer) => said.push(String(c)), stderr: () => {} };
    const big = "x".repeat(3_000_000);
    const host = await open();
    assert.equal(await host.run("exec", ["weft", "cat"], listener, { stream: Readable.from([big]) }), 3);
    assert.equal(said.join(""), big);
    assert.deepEqual(terminals, []);
    const stream = new PassThrough();
    const terminal: Terminal = {
      kind: "xterm",
      size: () => ({ rows: 24, columns: 80 }),
      onResize: (tell) =>
        void setTimeout(() => {
          tell({ rows: 30, columns: 100 });
          stream.end("in");
        }, 50),
    };
    assert.equal(await host.run("exec", ["weft", "sh"], listener, { stream, terminal }), 3);
    assert.equal(said.join(""), `${big}in`);
    assert.deepEqual(terminals, ["80x24", "100x30"]);
  });

  it("tells a host's status, with what it keeps for a rollback", async () => {
    const line = ["weft", "drift", `localhost:5443/weft@${DIGEST}`, "a", "unit edited,unhealthy", `x@${DIGEST},y`];
    answer = { stdout: `${line.join("\t")}\n`, stderr: "disk: 5 bytes are free for images\n", code: 3 };
    assert.deepEqual(await hostStatus(await open()), {
      host: "vps1",
      services: [
        {
          service: "weft",
          state: "drift",
          image: `localhost:5443/weft@${DIGEST}`,
          drift: ["unit edited", "unhealthy"],
          kept: [`x@${DIGEST}`, "y"],
        },
      ],
      notes: ["disk: 5 bytes are free for images"],
      healthy: false,
    });
  });

  it("says which host can't be reached, and why", async () => {
    const other = ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 }).public;
    const { healthy, notes } = await hostStatus(await open({ hostKey: other }));
    assert.equal(healthy, false);
    assert.match(notes[0] ?? "", /^host vps1 can't be reached: after 2 failed attempts: .*host key mismatch/);
    assert.match(notes[1] ?? "", /^127\.0\.0\.1 showed another key than keelson:hosts\.vps1\.hostKey: /);
    assert.deepEqual(commands, []);
  });

  it("says so where the connection breaks before the end", async () => {
    answer = { stdout: "", stderr: "", code: 0, breaks: true };
    const silent = { stdout: () => {}, stderr: () => {} };
    const host = await open();
    await assert.rejects(host.run("rollback", ["weft"], silent), (error: unknown) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.message, "the connection to host vps1 broke before it said how `rollback` ended");
      return true;
    });
  });

  it("names the hosts that there are", async () => {
    await assert.rejects(hostsOf("prod", hosts(), "vps2"), (error: unknown) => {
      assert.ok(error instanceof UserError);
      assert.match(`${error.message} ${error.fix}`, /no host "vps2".*name one of: vps1/);
      return true;
    });
    await assert.rejects(hostsOf("prod", {}), /has no hosts/);
  });
});
