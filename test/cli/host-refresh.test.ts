import assert from "node:assert/strict";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import ssh2, { type Connection as ServerSide } from "ssh2";
import { hostDrift, refreshHosts } from "../../cli/host-refresh.ts";
import { UserError } from "../../core/error.ts";
import type { ClearResource } from "../../core/host/applied.ts";

const keys = ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 });

/** Against a server that keeps what comes and answers by the command. */
describe("a stack's hosts, brought back", () => {
  let server: ssh2.Server;
  let clients: ServerSide[];
  let sessions: [string, string][];
  let answers: Record<string, { stdout?: string; stderr?: string; code: number }>;
  let hosts: Record<"vps1" | "vps2" | "vps3", { address: string; port: number; hostKey: string; app: string }>;

  beforeEach(async () => {
    [clients, sessions, answers] = [[], [], {}];
    server = new ssh2.Server({ hostKeys: [keys.private] }, (client) => {
      clients.push(client);
      client
        .on("error", () => {})
        .on("authentication", (context) => context.accept())
        .on("session", (accept) =>
          accept().on("exec", async (begin, _reject, { command }) => {
            const channel = begin();
            sessions.push([command, await text(channel.stdin)]);
            const [, answer] = Object.entries(answers).find(([word]) => command.includes(word)) ?? [];
            channel.stderr.write(answer?.stderr ?? "");
            channel.write(answer?.stdout ?? "");
            channel.exit(answer?.code ?? 0);
            channel.end();
          }),
        );
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const host = (app: string) => ({ address: "127.0.0.1", port, hostKey: keys.public, app });
    hosts = { vps1: host("one"), vps2: host("two"), vps3: host("three") };
  });
  afterEach(() => {
    for (const client of clients) client.end();
    server.close();
  });

  const applied = async (): Promise<ClearResource[]> =>
    Object.entries(hosts).flatMap(([name, { app }]) =>
      ["setup", "apply"].map((verb) => ({
        type: "command:remote:Command",
        parent: `urn:pulumi:prod::keelson::keelson:host:Host::${name}`,
        inputs: { create: `keelson-host ${verb} ${app}`, stdin: `input of ${verb} ${app}` },
      })),
    );
  const ran = () => sessions.toSorted(([a], [b]) => (a < b ? -1 : 1));
  const session = (verb: string, app: string) => [`keelson-host ${verb} ${app}`, `input of ${verb} ${app}`];

  it("has each run its sessions again, in their order, with what they had read", async () => {
    await refreshHosts("prod", { vps2: hosts.vps2 }, applied);
    assert.deepEqual(sessions, [session("setup", "two"), session("apply", "two")]);
    sessions = [];
    await refreshHosts("prod", hosts, applied);
    assert.deepEqual(
      ran(),
      ["apply", "setup"].flatMap((verb) => ["one", "three", "two"].map((app) => session(verb, app))),
    );
  });

  it("ends a host at its first session that fails, brings the others to their end, and names it", async () => {
    answers = { "setup one": { stderr: "error: make room\n", code: 1 } };
    await assert.rejects(refreshHosts("prod", hosts, applied), (error: unknown) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.message, "host vps1 can't be brought back to what the stack says");
      assert.equal(error.fix, "its own words are above");
      return true;
    });
    assert.deepEqual(
      ran().map(([command]) => command),
      [
        "keelson-host apply three",
        "keelson-host apply two",
        "keelson-host setup one",
        "keelson-host setup three",
        "keelson-host setup two",
      ],
    );
  });

  it("names all that fail, and what to do about each", async () => {
    answers = { "apply one": { code: 1 }, "apply three": { code: 4 } };
    const unknown = { ...hosts.vps2, hostKey: ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 }).public };
    await assert.rejects(refreshHosts("prod", { ...hosts, vps2: unknown }, applied), (error: unknown) => {
      assert.ok(error instanceof UserError);
      assert.match(
        error.message,
        /^host vps1 can't be brought back to what the stack says; host vps2 can't be reached: .*; host vps3 can't be brought back to what the stack says$/,
      );
      assert.match(
        error.fix ?? "",
        /^its own words are above; 127\.0\.0\.1 showed another key than keelson:hosts\.vps2\.hostKey: /,
      );
      return true;
    });
  });

  it("tells what is not as the last `up` left it, a line each, and nothing of what is", async () => {
    const line = (service: string, state: string, drift: string) =>
      `${[service, state, "r@sha256:1", "a", drift, ""].join("\t")}\n`;
    answers = {
      "status one": {
        stdout: line("weft", "ok", "") + line("job", "drift", "unit-edited,stopped"),
        stderr: "disk: 5 bytes are free for images\n",
        code: 3,
      },
      "status two": { stdout: line("weft", "ok", ""), code: 0 },
      "status three": { stderr: "bash: keelson-host: not found\n", code: 127 },
    };
    assert.deepEqual(await hostDrift("prod", hosts), [
      "vps1: job: unit-edited, stopped",
      "vps1: disk: 5 bytes are free for images",
      "vps3: bash: keelson-host: not found",
    ]);
  });
});
