import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { fileAsset, Plugin, secret, UNKNOWN } from "./plugin.ts";

const COMMAND = "command:local:Command";
const RUN = "command:local:run";

/** Holds for keelson's plugin and for the official one: see {@link Plugin}. */
describe("local commands of the command plugin", function () {
  this.timeout(30_000);
  let directory: string;
  let plugin: Plugin;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "keelson-command-"));
    plugin = await Plugin.start(directory, { INHERITED: "from the plugin" });
  });
  after(async () => {
    await plugin.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(() => {
    plugin.logs.length = 0;
  });

  const out = async (inputs: Parameters<Plugin["create"]>[1]) => (await plugin.create(COMMAND, inputs)).state;

  it("has a schema with the official one's resources, inputs, defaults and secrets", async () => {
    type Schema = Record<string, Record<string, { [key: string]: Record<string, Record<string, unknown>> }>>;
    const { resources = {}, types = {}, functions = {} } = (await plugin.schema()) as Schema;
    const local = resources[COMMAND];
    assert.deepEqual(Object.keys(local?.inputProperties ?? {}).toSorted(), [
      ...["addPreviousOutputInEnv", "archivePaths", "assetPaths", "create", "delete", "dir", "environment"],
      ...["interpreter", "logging", "stdin", "triggers", "update"],
    ]);
    assert.equal(local?.inputProperties?.triggers?.replaceOnChanges, true);
    const remote = resources["command:remote:Command"];
    assert.equal(remote?.inputProperties?.connection?.secret, true);
    const { properties = {} } = types["command:remote:Connection"] ?? {};
    const defaults = Object.entries(properties).flatMap(([name, p]) =>
      p.default === undefined ? [] : [[name, p.default]],
    );
    assert.deepEqual(Object.fromEntries(defaults), { user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 });
    const secrets = Object.keys(properties).filter((name) => properties[name]?.secret === true);
    assert.deepEqual(secrets.toSorted(), ["password", "privateKey", "privateKeyPassword"]);
    assert.ok(resources["command:remote:CopyToRemote"] && functions[RUN]);
  });

  describe("check", () => {
    it("takes what is right as it is, with its secrets and unknown values", async () => {
      const inputs = {
        create: secret("echo a"),
        update: UNKNOWN,
        environment: secret({ A: "1" }),
        triggers: [1, "a", { b: 2 }, UNKNOWN],
        dir: ".",
      };
      assert.deepEqual(await plugin.check(COMMAND, inputs), { inputs, failures: [] });
    });

    it("names all that is wrong at once", async () => {
      const { failures } = await plugin.check(COMMAND, {
        create: 5,
        nope: 1,
        environment: { A: 1 },
        interpreter: "x",
        triggers: "x",
        assetPaths: [1],
        addPreviousOutputInEnv: "yes",
        dir: { a: 1 },
      });
      const on = "on 'local.CommandInputs'";
      const must = (field: string, wanted: string, got: string): [string, string] => [
        field,
        `Field '${field}' ${on} must be a '${wanted}'; got '${got}' instead`,
      ];
      assert.deepEqual(failures.toSorted(), [
        must("addPreviousOutputInEnv", "bool", "string"),
        must("assetPaths[0]", "string", "float64"),
        must("create", "string", "float64"),
        [
          "dir",
          "An error occurred decoding 'CommandInputs.dir': Cannot decode Object{} to type string; it isn't a struct, and no custom decoder exists",
        ],
        must("environment[A] value", "string", "float64"),
        must("interpreter", "[]string", "string"),
        ["nope", `Unrecognized field 'nope' ${on}`],
        must("triggers", "[]interface {}", "string"),
      ]);
    });
  });

  describe("diff", () => {
    const state = { stdout: "", stderr: "" };

    it("finds nothing where nothing changed", async () => {
      const inputs = { create: "a", triggers: [1, { a: "b" }], environment: { A: "1" } };
      assert.deepEqual(await plugin.diff(COMMAND, inputs, { ...inputs, ...state }, inputs), {});
    });

    it("tells every place, and replaces for triggers that come or go as a whole", async () => {
      const before = { create: "a", triggers: [1, { a: 1 }], environment: { A: "1", B: "2", "c.d": "3" }, stdin: "x" };
      const after = { create: "b", triggers: [2, { a: 2 }, 3], environment: { A: "2", C: "1", "c.d": "4" }, dir: "x" };
      assert.deepEqual(await plugin.diff(COMMAND, before, { ...before, ...state }, after), {
        create: "update",
        dir: "add",
        "environment.A": "update",
        "environment.B": "delete",
        "environment.C": "add",
        'environment["c.d"]': "update",
        stdin: "delete",
        "triggers[0]": "update",
        "triggers[1].a": "update",
        "triggers[2]": "add",
      });
      assert.deepEqual(await plugin.diff(COMMAND, {}, state, { triggers: [1] }), { triggers: "add-replace" });
      assert.deepEqual(await plugin.diff(COMMAND, { triggers: [1] }, state, {}), { triggers: "delete-replace" });
    });

    it("takes a secret for another value, and unknown ones for changed", async () => {
      assert.deepEqual(await plugin.diff(COMMAND, { create: "a" }, state, { create: secret("a") }), {
        create: "update",
      });
      const before = { create: "a", environment: { A: "1" } };
      const after = { create: UNKNOWN, environment: { A: UNKNOWN } };
      assert.deepEqual(await plugin.diff(COMMAND, before, { ...before, ...state }, after), {
        create: "update",
        "environment.A": "update",
      });
    });
  });

  describe("create", () => {
    it("runs the command by /bin/sh in the project's directory, with the plugin's environment and its own", async () => {
      const { id, state } = await plugin.create(COMMAND, {
        create: 'echo "$0 $INHERITED $OWN"; pwd; echo err >&2',
        environment: { OWN: "own" },
      });
      assert.match(id, /^name[0-9a-f]{8}$/);
      assert.deepEqual(state, {
        create: 'echo "$0 $INHERITED $OWN"; pwd; echo err >&2',
        environment: { OWN: "own" },
        stdout: `/bin/sh from the plugin own\n${directory}`,
        stderr: "err",
      });
    });

    it("runs it by another interpreter, elsewhere, with its input; one newline at the end is not kept", async () => {
      mkdirSync(join(directory, "elsewhere"), { recursive: true });
      const { stdout } = await out({
        create: "-",
        interpreter: ["/bin/sh", "-euc", 'echo "$0"; basename "$PWD"; cat'],
        dir: join(directory, "elsewhere"),
        stdin: "in\n\n",
      });
      assert.equal(stdout, "-\nelsewhere\nin\n");
    });

    it("gives a command without input an end at once", async () => {
      assert.equal((await out({ create: "cat; echo end" })).stdout, "end");
    });

    it("does nothing without a command", async () => {
      assert.deepEqual(await out({ delete: "exit 1" }), { delete: "exit 1", stdout: "", stderr: "" });
    });

    it("runs nothing in a preview: outputs are unknown", async () => {
      const inputs = { create: `touch ${directory}/ran`, environment: { A: secret("x"), B: UNKNOWN } };
      const { state } = await plugin.create(COMMAND, inputs, true);
      assert.deepEqual(state, { ...inputs, stdout: UNKNOWN, stderr: UNKNOWN });
      assert.equal(existsSync(join(directory, "ran")), false);
    });

    it("keeps secrets of the inputs as secrets in the state", async () => {
      const inputs = { create: secret("true"), environment: secret({ A: "q" }), triggers: [secret(1)] };
      assert.deepEqual(await out(inputs), { ...inputs, stdout: "", stderr: "" });
    });

    const failing: [string, Parameters<Plugin["create"]>[1], string | RegExp][] = [
      ["status", { create: "echo out; exit 3" }, 'exit status 3: running "echo out; exit 3":\nout\n'],
      ["what it said", { create: "echo err >&2; exit 1" }, 'exit status 1: running "echo err >&2; exit 1":\nerr\n'],
      ["quotes", { create: '\t# a"b é \\\nexit 1' }, 'exit status 1: running "\\t# a\\"b é \\\\\\nexit 1":\n'],
      ["signal", { create: "kill -9 $$" }, 'signal: killed: running "kill -9 $$":\n'],
      ["term", { create: "kill $$" }, 'signal: terminated: running "kill $$":\n'],
      [
        "no interpreter",
        { create: "x", interpreter: ["/nope/x"] },
        'fork/exec /nope/x: no such file or directory: running "x":\n',
      ],
      [
        "no interpreter on PATH",
        { create: "x", interpreter: ["nopenope"] },
        'exec: "nopenope": executable file not found in $PATH: running "x":\n',
      ],
      ["no directory", { create: "x", dir: "/nope/x" }, 'chdir /nope/x: no such file or directory: running "x":\n'],
      [
        "a wrong input",
        { create: "x", zz: 1 },
        "invalid inputs: 1 failures decoding:\n\tzz: Unrecognized field 'zz' on 'local.CommandInputs'",
      ],
    ];
    for (const [what, inputs, message] of failing)
      it(`fails with the command and all that it said: ${what}`, async () => {
        await assert.rejects(plugin.create(COMMAND, inputs), (error: Error) => {
          assert.equal((error as { details?: string }).details, message);
          return true;
        });
      });

    it("tells the engine each line, of the outputs that logging names", async () => {
      const told = async (logging?: string) => {
        plugin.logs.length = 0;
        await out({
          create: "echo one; echo two; sleep 0.1; echo err >&2; sleep 0.1; printf rest",
          ...(logging && { logging }),
        });
        assert.ok(plugin.logs.every(({ severity, ephemeral }) => severity === 1 && ephemeral));
        return plugin.logs.map(({ message }) => message);
      };
      assert.deepEqual(await told(), ["one", "two", "err", "rest"]);
      assert.deepEqual(await told("stdoutAndStderr"), ["one", "two", "err", "rest"]);
      assert.deepEqual(await told("stdout"), ["one", "two", "rest"]);
      assert.deepEqual(await told("stderr"), ["err"]);
      assert.deepEqual(await told("none"), []);
    });

    it("finds assets and an archive by patterns, later ones over earlier ones", async () => {
      const dir = join(directory, "site");
      mkdirSync(dir);
      const { assets, archive, stdout } = await out({
        create: "mkdir -p a/b; echo 1 > one.txt; echo 2 > a/two.txt; echo 3 > a/b/three.txt; echo 4 > a/secret.txt",
        dir,
        assetPaths: ["*.txt", "a/*/t????.{txt,md}"],
        archivePaths: ["a/**", "!**secret*"],
      });
      assert.equal(stdout, "");
      assert.deepEqual(assets, {
        "one.txt": fileAsset(join(dir, "one.txt"), "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865"),
        "a/b/three.txt": fileAsset(
          join(dir, "a/b/three.txt"),
          "1121cfccd5913f0a63fec40a6ffd44ea64f9dc135c66634ba001d10bcf4302a2",
        ),
      });
      const { assets: within, hash } = archive as { assets: Record<string, { path: string }>; hash: string };
      assert.deepEqual(Object.keys(within).toSorted(), ["a/b/three.txt", "a/two.txt"]);
      assert.equal(within["a/two.txt"]?.path, join(dir, "a/two.txt"));
      assert.match(hash, /^[0-9a-f]{64}$/);
    });

    it("hashes an archive as Pulumi does", async () => {
      const dir = join(directory, "packed");
      mkdirSync(dir);
      const { archive } = await out({
        create: "mkdir s; echo b > s/b.txt",
        dir,
        archivePaths: ["**.txt"],
      });
      assert.equal(
        (archive as { hash: string }).hash,
        "08d9341c928d73cadbd77f0b9619e1b013fe15e9181a9e52e2c778ba81f7edf2",
      );
    });
  });

  describe("update", () => {
    const before = { create: "echo c", stdout: "prev", stderr: "prev err" };

    it("runs update, else create, with what the run before said", async () => {
      const show = 'echo "$PULUMI_COMMAND_STDOUT, $PULUMI_COMMAND_STDERR"';
      const state = await plugin.update(COMMAND, { create: "echo c" }, before, { create: show });
      assert.deepEqual(state, { create: show, stdout: "prev, prev err", stderr: "" });
      const updated = await plugin.update(COMMAND, {}, before, {
        create: "exit 1",
        update: show,
        addPreviousOutputInEnv: false,
      });
      assert.equal(updated.stdout, ", ");
    });

    it("does nothing without a command, and keeps the outputs", async () => {
      assert.deepEqual(await plugin.update(COMMAND, {}, before, { delete: "y" }), {
        delete: "y",
        stdout: "prev",
        stderr: "prev err",
      });
    });

    it("knows the outputs in a preview where nothing changed, and only there", async () => {
      const same = { create: "echo c" };
      assert.deepEqual(await plugin.update(COMMAND, same, before, same, true), before);
      assert.deepEqual(await plugin.update(COMMAND, same, before, { create: "echo d" }, true), {
        create: "echo d",
        stdout: UNKNOWN,
        stderr: UNKNOWN,
      });
    });

    it("fails as create does", async () => {
      await assert.rejects(
        plugin.update(COMMAND, {}, before, { create: "exit 4" }),
        /exit status 4: running "exit 4":/,
      );
    });
  });

  it("deletes by the command of the state, with what the last run said", async () => {
    const file = join(directory, "deleted");
    await plugin.delete(COMMAND, {}, { delete: `echo "$PULUMI_COMMAND_STDOUT" > ${file}`, stdout: "zz", stderr: "" });
    assert.equal(readFileSync(file, "utf8"), "zz\n");
    await plugin.delete(COMMAND, {}, { stdout: "", stderr: "" });
    await assert.rejects(plugin.delete(COMMAND, {}, { delete: "exit 9", stdout: "", stderr: "" }), /exit status 9/);
  });

  it("reads back what was there", async () => {
    const state = { create: "a", stdout: "zz", stderr: "" };
    assert.deepEqual(await plugin.read(COMMAND, { create: "a" }, state), { id: "id", inputs: { create: "a" }, state });
  });

  describe("run", () => {
    it("runs its command, with all that a resource's has", async () => {
      writeFileSync(join(directory, "found.asset"), "A");
      const args = {
        command: secret("echo $A; cat"),
        environment: { A: "1" },
        stdin: "in",
        assetPaths: ["*.asset"],
      };
      const { result, failures } = await plugin.invoke(RUN, args);
      assert.deepEqual(failures, []);
      const hash = "559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd";
      const assets = { "found.asset": fileAsset(join(directory, "found.asset"), hash) };
      assert.deepEqual(result, { ...args, stdout: "1\nin", stderr: "", assets });
    });

    it("says what is wrong", async () => {
      assert.deepEqual((await plugin.invoke(RUN, {})).failures, [
        ["command", "Missing required field 'command' on 'local.RunInputs'"],
      ]);
      await assert.rejects(plugin.invoke(RUN, { command: "exit 2" }), /exit status 2: running "exit 2":/);
      await assert.rejects(plugin.invoke("command:local:nope", {}), /Invoke 'local:nope' not found/);
    });
  });

  it("has no other types", async () => {
    await assert.rejects(plugin.create("command:local:Nope", {}), /Resource 'local:Nope' not found/);
  });

  it("ends a command when the run is cancelled", async () => {
    const own = await Plugin.start(directory);
    try {
      const file = join(directory, "started");
      const running = assert.rejects(own.create(COMMAND, { create: `touch ${file}; exec sleep 60` }), /killed|cancel/);
      for (let i = 0; i < 250 && !existsSync(file); i++) await sleep(20);
      assert.ok(existsSync(file));
      await own.ask<empty.Empty>("cancel", new empty.Empty());
      await running;
    } finally {
      await own.stop();
    }
  });

  it("names its version", async () => {
    const info = await plugin.ask<{ getVersion(): string }>("getPluginInfo", new empty.Empty());
    assert.equal(info.getVersion(), "1.2.1");
    const answer = await plugin.ask<provider.CheckResponse>("checkConfig", new provider.CheckRequest());
    assert.deepEqual(answer.getFailuresList(), []);
  });
});
