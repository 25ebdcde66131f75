import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import {
  fileArchive,
  fileAsset,
  Plugin,
  type Properties,
  secret,
  stringAsset,
  UNKNOWN,
} from "../plugins/command/plugin.ts";
import { type Keys, needSshd, newKeys, Sshd } from "./command/sshd.ts";
import { freePort } from "./port.ts";

const COMMAND = "command:remote:Command";
const COPY = "command:remote:CopyToRemote";

/** The command plugin's remote resources against OpenSSH's server. Holds for keelson's plugin and for the official one. */
describe("remote commands of the command plugin", function () {
  this.timeout(60_000);
  let directory: string;
  let keys: Keys;
  let locked: Keys;
  let sshd: Sshd;
  let plugin: Plugin;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "keelson-command-ssh-"));
    await needSshd();
    keys = newKeys();
    locked = newKeys("open sesame");
    sshd = await Sshd.make(join(directory, "sshd"), [keys, locked]);
    await sshd.start();
    plugin = await Plugin.start(directory);
  });
  after(async () => {
    await plugin.stop();
    await sshd.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(() => {
    plugin.logs.length = 0;
  });

  /** What Check makes of a connection, for this server. */
  const connection = (more: Properties = {}): Properties => ({
    ...{ host: "127.0.0.1", port: sshd.port, user: "root", dialErrorLimit: 0, perDialTimeout: 15 },
    ...{ privateKey: keys.private, hostKey: sshd.hostKey },
    ...more,
  });
  const create = async (inputs: Properties, more: Properties = {}, type = COMMAND) =>
    (await plugin.create(type, { connection: secret(connection(more)), ...inputs })).state;
  const fails = (work: Promise<unknown>, message: string | RegExp) =>
    assert.rejects(work, (error: Error) => {
      const { details } = error as { details?: string };
      if (typeof message === "string") assert.equal(details, message);
      else assert.match(details ?? "", message);
      return true;
    });

  describe("check", () => {
    it("fills in the connection's defaults, and makes it a secret with secrets inside", async () => {
      const { inputs, failures } = await plugin.check(COMMAND, {
        create: "x",
        connection: { host: "h", password: "p", proxy: { host: "b", port: 23, privateKey: "k" } },
      });
      const defaults = { port: 22, user: "root", dialErrorLimit: 10, perDialTimeout: 15 };
      assert.deepEqual(failures, []);
      assert.deepEqual(inputs, {
        create: "x",
        connection: secret({
          ...defaults,
          host: "h",
          password: secret("p"),
          proxy: { ...defaults, port: 23, host: "b", privateKey: secret("k") },
        }),
      });
    });

    it("keeps what is secret or unknown", async () => {
      const connections: [Properties[string], Properties[string]][] = [
        [UNKNOWN, secret(UNKNOWN)],
        [
          secret({ host: UNKNOWN, password: secret("p"), dialErrorLimit: -1, user: "u", port: 1, perDialTimeout: 0 }),
          secret({ host: UNKNOWN, password: secret("p"), dialErrorLimit: -1, user: "u", port: 1, perDialTimeout: 0 }),
        ],
      ];
      for (const [given, kept] of connections)
        assert.deepEqual((await plugin.check(COMMAND, { connection: given })).inputs, { connection: kept });
    });

    it("names what is wrong, and makes secrets of secrets even then", async () => {
      const { inputs, failures } = await plugin.check(COMMAND, {
        connection: { user: "h", password: "p", prt: 1, proxy: {} },
      });
      assert.deepEqual(inputs, { connection: secret({ user: "h", password: secret("p"), prt: 1, proxy: {} }) });
      const lines = [
        "An error occurred decoding 'CommandInputs.connection': 3 failures decoding:",
        "\thost: Missing required field 'host' on 'remote.Connection'",
        "\thost: Missing required field 'host' on 'remote.ProxyConnection'",
        "\tprt: Unrecognized field 'prt' on 'remote.Connection'",
        "\tproxy: An error occurred decoding 'Connection.proxy': 1 failures decoding:",
      ];
      assert.deepEqual(
        failures.map(([property, reason]) => [property, reason.split("\n").toSorted()]),
        [["connection", lines.toSorted()]],
      );
      assert.deepEqual((await plugin.check(COMMAND, {})).failures, [
        ["connection", "Missing required field 'connection' on 'remote.CommandInputs'"],
      ]);
    });

    it("knows what can be copied", async () => {
      const judged = async (source: Properties[string]) =>
        (await plugin.check(COPY, { connection: { host: "h" }, remotePath: "/x", source })).failures;
      for (const source of [fileAsset("/a", "1"), stringAsset("text", "2"), fileArchive("/b", "3")])
        assert.deepEqual(await judged(source), []);
      const uri = { ...fileAsset("", ""), uri: "http://example.com" };
      assert.deepEqual(await judged(uri), [["asset", "asset must be a path-based file asset or a text asset"]]);
      const map = { ...fileArchive("", ""), assets: { a: stringAsset("x") } };
      assert.deepEqual(await judged(map), [["archive", "archive must be a path to a file or directory"]]);
      assert.deepEqual(await judged("text"), [["asset", "either asset or archive must be set"]]);
    });
  });

  it("sees a change of the connection as one update", async () => {
    const before = { connection: secret({ host: "a" }), create: "x" };
    const after = { connection: secret({ host: "b" }), create: "x" };
    assert.deepEqual(await plugin.diff(COMMAND, before, { ...before, stdout: "", stderr: "" }, after), {
      connection: "update",
    });
  });

  describe("Command", () => {
    it("runs on the server, with input and the variables that it accepts", async () => {
      const inputs = {
        connection: secret(connection()),
        create: 'echo "$OWN"; cat; echo err >&2',
        stdin: "in\n\n",
        environment: { OWN: 'a "b" $c' },
      };
      const { id, state } = await plugin.create(COMMAND, inputs);
      assert.match(id, /^name[0-9a-f]{8}$/);
      assert.deepEqual(state, { ...inputs, stdout: 'a "b" $c\nin\n', stderr: "err" });
      assert.deepEqual(plugin.logs.map(({ message }) => message).toSorted(), ["", 'a "b" $c', "err", "in"]);
    });

    it("runs nothing where the server refuses a variable", async () => {
      const file = join(directory, "must-not-be");
      await fails(
        create({ create: `touch ${file}`, environment: { NOT_ACCEPTED: "1" } }),
        'could not set environment variable "NOT_ACCEPTED": ssh: setenv failed',
      );
      assert.equal(existsSync(file), false);
      const [log] = plugin.logs;
      assert.equal(log?.severity, 3);
      assert.match(log?.message ?? "", /^Unable to set 'NOT_ACCEPTED'\. .*\n.*AcceptEnv/s);
    });

    it("hands the outputs of the run before on, with a warning where the server refuses", async () => {
      const before = { connection: secret(connection()), create: "x", stdout: "prev", stderr: "prev err" };
      const news = { connection: secret(connection()), create: 'echo "$PULUMI_COMMAND_STDOUT,$PULUMI_COMMAND_STDERR"' };
      assert.equal((await plugin.update(COMMAND, before, before, news)).stdout, "prev,");
      assert.deepEqual(
        plugin.logs.filter(({ severity }) => severity === 2).map(({ message }) => message.slice(0, 38)),
        ["Unable to set 'PULUMI_COMMAND_STDERR'."],
      );
      const without = await plugin.update(COMMAND, before, before, { ...news, addPreviousOutputInEnv: false });
      assert.equal(without.stdout, ",");
    });

    it("runs update where there is one, and delete at the end", async () => {
      const file = join(directory, "deleted");
      const state = { connection: secret(connection()), create: "exit 1", stdout: "", stderr: "" };
      const updated = await plugin.update(COMMAND, state, state, {
        connection: secret(connection()),
        create: "exit 1",
        update: "echo updated",
        delete: `touch ${file}`,
      });
      assert.equal(updated.stdout, "updated");
      await plugin.delete(COMMAND, {}, updated);
      assert.ok(existsSync(file));
    });

    it("connects to nothing without a command, or in a preview", async () => {
      const away = { connection: secret(connection({ port: 1 })) };
      assert.deepEqual((await plugin.create(COMMAND, away)).state, { ...away, stdout: "", stderr: "" });
      const preview = await plugin.create(COMMAND, { ...away, create: "x" }, true);
      assert.deepEqual(preview.state, { ...away, create: "x", stdout: UNKNOWN, stderr: UNKNOWN });
      await plugin.delete(COMMAND, {}, { ...away, stdout: "", stderr: "" });
    });

    it("fails with the status, the command, and all that it said", async () => {
      await fails(
        create({ create: "echo out; exit 3" }),
        'Process exited with status 3: running "echo out; exit 3":\nout\n',
      );
      await fails(create({ create: "echo err >&2; exit 1" }), /^Process exited with status 1: .*:\nerr\n$/s);
      await fails(create({ create: "kill -9 $$" }), /^Process exited with status 137 from signal KILL: running /);
    });

    it("takes much output, and characters that arrive in parts", async () => {
      const { stdout } = await create({ create: "head -c 3000000 /dev/zero | tr '\\0' x; echo é", logging: "none" });
      assert.equal(String(stdout).length, 3_000_001);
      assert.ok(String(stdout).endsWith("xé"));
      assert.deepEqual(plugin.logs, []);
    });

    it("takes much input", async () => {
      assert.equal((await create({ create: "wc -c", stdin: "y".repeat(3_000_000) })).stdout, "3000000");
    });

    it("says so when the connection breaks under the command", async () => {
      await fails(create({ create: "echo going; kill -9 $PPID" }), /without exit status|EOF|closed|signal/);
    });
  });

  describe("login", () => {
    const run = (more: Properties) => create({ create: "echo in" }, more);

    it("opens a locked key by its password", async () => {
      const { stdout } = await run({ privateKey: locked.private, privateKeyPassword: "open sesame" });
      assert.equal(stdout, "in");
      await fails(run({ privateKey: locked.private }), "ssh: this private key is passphrase protected");
      await fails(run({ privateKey: locked.private, privateKeyPassword: "no" }), "x509: decryption password incorrect");
      await fails(run({ privateKey: "no key" }), "ssh: no key found");
    });

    it("says what it tried with a key that the server does not know", async () => {
      await fails(
        run({ privateKey: newKeys().private }),
        "after 0 failed attempts: ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain",
      );
    });

    it("uses an agent: the one it is told of, and the environment's", async () => {
      const socket = join(directory, "agent");
      const agent = execa("ssh-agent", ["-D", "-a", socket], { reject: false, stdio: "ignore" });
      try {
        for (let i = 0; i < 250 && !existsSync(socket); i++) await sleep(20);
        const file = join(directory, "agent-key");
        writeFileSync(file, keys.private, { mode: 0o600 });
        await execa("ssh-add", ["-q", file], { env: { SSH_AUTH_SOCK: socket } });
        const { privateKey: _, ...bare } = connection();
        const inputs = { create: "echo in", connection: secret({ ...bare, agentSocketPath: socket }) };
        assert.equal((await plugin.create(COMMAND, inputs)).state.stdout, "in");
        const own = await Plugin.start(directory, { SSH_AUTH_SOCK: socket });
        try {
          const { state } = await own.create(COMMAND, { create: "echo in", connection: secret(bare) });
          assert.equal(state.stdout, "in");
        } finally {
          await own.stop();
        }
      } finally {
        agent.kill();
        await agent;
      }
      await fails(run({ agentSocketPath: "/nope" }), "dial unix /nope: connect: no such file or directory");
    });

    it("refuses a server with another host key than the pinned one, before it logs in", async () => {
      const other = newKeys().public;
      await fails(run({ hostKey: other }), "after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch");
      await fails(run({ hostKey: "no key" }), /^failed to parse host key: ssh: no key found/);
      const { hostKey: _, ...trusting } = connection();
      const { state } = await plugin.create(COMMAND, { create: "echo in", connection: secret(trusting) });
      assert.equal(state.stdout, "in");
    });

    it("tries again as often as it may, and tells each time", async () => {
      await fails(
        run({ port: 1, dialErrorLimit: 2 }),
        "after 2 failed attempts: dial tcp 127.0.0.1:1: connect: connection refused",
      );
      assert.deepEqual(
        plugin.logs.map(({ message }) => message),
        ["Dial 1/2 failed: retrying", "Dial 2/2 failed: retrying"],
      );
    });

    it("waits for a server that comes up meanwhile", async () => {
      const late = await Sshd.make(join(directory, "late"), [keys]);
      try {
        const running = run({ port: late.port, hostKey: late.hostKey, dialErrorLimit: -1 });
        for (let i = 0; i < 250 && plugin.logs.length === 0; i++) await sleep(20);
        await late.start();
        assert.equal((await running).stdout, "in");
        assert.equal(plugin.logs[0]?.message, "Dial 1/inf failed: retrying");
      } finally {
        await late.stop();
      }
    });

    it("goes through another server", async () => {
      const bastion = await Sshd.make(join(directory, "bastion"), [locked]);
      await bastion.start();
      try {
        const proxy = {
          ...connection({ port: bastion.port, hostKey: bastion.hostKey }),
          ...{ privateKey: locked.private, privateKeyPassword: "open sesame" },
        };
        const { stdout } = await create({ create: "echo $SSH_CONNECTION" }, { proxy });
        assert.equal(String(stdout).split(" ")[3], String(sshd.port));
        await fails(
          run({ proxy: { ...proxy, port: 1 } }),
          "proxy: after 0 failed attempts: dial tcp 127.0.0.1:1: connect: connection refused",
        );
        await fails(
          run({ port: await freePort(), proxy }),
          /^proxy: after 0 failed attempts: ssh: rejected: .*refused/i,
        );
        await fails(run({ proxy: { ...proxy, hostKey: sshd.hostKey } }), /^proxy: .*host key mismatch$/);
      } finally {
        await bastion.stop();
      }
    });

    it("ends when the run is cancelled", async () => {
      const own = await Plugin.start(directory);
      try {
        const file = join(directory, "started");
        const create = `touch ${file}; exec sleep 2`;
        const running = own.create(COMMAND, { connection: secret(connection()), create }).catch(() => undefined);
        for (let i = 0; i < 250 && !existsSync(file); i++) await sleep(20);
        assert.ok(existsSync(file));
        await own.ask<empty.Empty>("cancel", new empty.Empty());
        await running;
      } finally {
        await own.stop();
      }
    });
  });

  describe("CopyToRemote", () => {
    let from: string;
    let to: string;

    beforeEach(() => {
      from = mkdtempSync(join(directory, "from-"));
      to = mkdtempSync(join(directory, "to-"));
      mkdirSync(join(from, "one/two"), { recursive: true });
      writeFileSync(join(from, "file1"), "1");
      writeFileSync(join(from, "one/file2"), "2");
      writeFileSync(join(from, "one/two/empty"), "");
    });

    const copy = (source: Properties[string], remotePath: string) => create({ source, remotePath }, {}, COPY);
    const tree = (path: string) => readdirSync(path, { recursive: true }).map(String).toSorted();
    const FROM = ["file1", "one", "one/file2", "one/two", "one/two/empty"];

    it("copies a file: to a path, over a file, into a folder, below folders that it makes", async () => {
      const content = randomBytes(3_000_000);
      writeFileSync(join(from, "big"), content);
      const source = fileAsset(join(from, "big"), "h");
      const inputs = { connection: secret(connection()), source, remotePath: `${to}/big` };
      const { id, state } = await plugin.create(COPY, inputs);
      assert.match(id, /^[0-9a-f]{8}$/);
      assert.deepEqual(state, inputs);
      assert.ok(readFileSync(join(to, "big")).equals(content));
      await copy(fileAsset(join(from, "file1"), "h"), `${to}/big`);
      assert.equal(readFileSync(join(to, "big"), "utf8"), "1");
      await copy(fileAsset(join(from, "file1"), "h"), to);
      await copy(fileAsset(join(from, "file1"), "h"), `${to}/a/b/c`);
      assert.deepEqual(tree(to), ["a", "a/b", "a/b/c", "big", "file1"]);
    });

    it("copies a folder, or with a slash what is in it", async () => {
      const name = basename(from);
      await copy(fileArchive(from, "h"), to);
      assert.deepEqual(tree(join(to, name)), FROM);
      await copy(fileArchive(from, "h"), to); // again, over itself
      await copy(fileArchive(`${from}/`, "h"), `${to}/x/y`);
      assert.deepEqual(tree(join(to, "x/y")), FROM);
      assert.equal(readFileSync(join(to, "x/y/one/file2"), "utf8"), "2");
    });

    it("copies a text", async () => {
      await copy(stringAsset("text é", "h"), `${to}/a/text`);
      assert.equal(readFileSync(join(to, "a/text"), "utf8"), "text é");
      await fails(
        copy(stringAsset("x", "h"), to),
        `remote path ${to} is a directory; when using a text asset, remotePath must be a file path`,
      );
    });

    it("puts no folder in a file's place, and says what is not there", async () => {
      writeFileSync(join(to, basename(from)), "a file");
      await fails(
        copy(fileArchive(from, "h"), to),
        `remote path ${to}/${basename(from)} exists but is not a directory`,
      );
      await fails(copy(fileAsset("/nope/x", "h"), to), "open /nope/x: no such file or directory");
    });

    it("copies again when the source's hash or the path changed, and only then", async () => {
      const inputs = (hash: string, remotePath: string): Properties => ({
        connection: secret(connection()),
        source: fileAsset(join(from, "file1"), hash),
        remotePath,
      });
      const before = inputs("h1", `${to}/f`);
      await plugin.create(COPY, before);
      rmSync(join(to, "f"));
      await plugin.update(COPY, before, before, { ...before, triggers: [1] });
      assert.deepEqual(tree(to), []);
      await plugin.update(COPY, before, before, inputs("h2", `${to}/f`), true);
      assert.deepEqual(tree(to), []);
      await plugin.update(COPY, before, before, inputs("h2", `${to}/f`));
      await plugin.update(COPY, before, before, inputs("h1", `${to}/g`));
      assert.deepEqual(tree(to), ["f", "g"]);
    });

    it("leaves what it copied where it is when the resource goes, and copies nothing in a preview", async () => {
      const inputs = { connection: secret(connection()), source: stringAsset("x", "h"), remotePath: `${to}/t` };
      assert.deepEqual((await plugin.create(COPY, inputs, true)).state, inputs);
      assert.deepEqual(tree(to), []);
      await plugin.create(COPY, inputs);
      await plugin.delete(COPY, inputs, inputs);
      assert.deepEqual(tree(to), ["t"]);
    });
  });
});
