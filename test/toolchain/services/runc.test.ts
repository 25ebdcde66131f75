import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { wrapperScript, writeRuncWrapper } from "../../../toolchain/services/runc.ts";

describe("the runc wrapper", () => {
  let folder: string;
  let script: string;
  let bundle: string;
  let trust: string;
  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), "keelson-runc-")), "it's a $HOME");
    [bundle, trust] = [join(folder, "bundle"), join(folder, "trust")];
    for (const directory of [folder, bundle, trust]) await mkdir(directory, { recursive: true });
    const runc = join(folder, "real runc");
    await writeFile(runc, '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n');
    await chmod(runc, 0o755);
    await writeFile(join(trust, "env.json"), JSON.stringify({ SSL_CERT_FILE: "/dev/.keelson/ca.pem", PIP_CERT: "p" }));
    script = await writeRuncWrapper(join(folder, "bin"), runc, join(folder, "state"), trust);
  });
  afterEach(() => rm(join(folder, ".."), { recursive: true }));

  const config = () => readFile(join(bundle, "config.json"), "utf8");
  const run = (...args: string[]) => execa(script, args, { reject: false });

  it("adds the mount and the variables, then is runc: arguments, output and exit code", async () => {
    await writeFile(
      join(bundle, "config.json"),
      '{"process":{"env":["PATH=/bin","PIP_CERT=/own.pem"],"args":["sh"]},"mounts":[{"destination":"/dev"}],"root":{"path":"r"}}',
    );
    const result = await run("--log", "/x/runc-log.json", "run", "--bundle", bundle, "--keep", "an id");
    assert.equal(result.exitCode, 7);
    assert.deepEqual(result.stdout.split("\n"), [
      "--root",
      join(folder, "state"),
      "--log",
      "/x/runc-log.json",
      "run",
      "--bundle",
      bundle,
      "--keep",
      "an id",
    ]);
    assert.deepEqual(JSON.parse(await config()), {
      process: { env: ["PATH=/bin", "PIP_CERT=/own.pem", "SSL_CERT_FILE=/dev/.keelson/ca.pem"], args: ["sh"] },
      mounts: [
        { destination: "/dev" },
        {
          destination: "/dev/.keelson",
          type: "bind",
          source: trust,
          options: ["rbind", "ro", "nosuid", "nodev", "noexec"],
        },
      ],
      root: { path: "r" },
    });
  });

  it("keeps limits that JavaScript's numbers can't hold", async () => {
    await writeFile(
      join(bundle, "config.json"),
      '{"process":{"rlimits":[{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":9007199254740993}]}}',
    );
    await run("run", `--bundle=${bundle}`, "id");
    assert.match(await config(), /"hard":18446744073709551615,"soft":9007199254740993/);
  });

  it("leaves other calls to runc alone", async () => {
    await writeFile(join(bundle, "config.json"), "not read");
    for (const call of [["delete", "id"], ["kill", "--all", "id", "9"], ["--version"]]) {
      assert.equal((await run(...call)).exitCode, 7, call.join(" "));
    }
    assert.equal(await config(), "not read");
  });

  describe("when the node that started the builder is gone", () => {
    let bin: string;
    beforeEach(async () => {
      bin = join(folder, "path");
      await mkdir(bin);
      const editor = join(folder, "bin", "runc-wrapper.mjs");
      const gone = join(folder, "gone", "node");
      await writeFile(script, wrapperScript(gone, editor, join(folder, "real runc"), join(folder, "state"), trust));
      await writeFile(join(bundle, "config.json"), '{"process":{}}');
    });
    const runWith = (path: string) =>
      execa(script, ["run", "--bundle", bundle, "id"], { reject: false, env: { PATH: path } });

    it("takes PATH's", async () => {
      await symlink(process.execPath, join(bin, "node"));
      const { exitCode, stderr } = await runWith(`${bin}:/usr/bin:/bin`);
      assert.equal(exitCode, 7, stderr);
      assert.match(await config(), /SSL_CERT_FILE/);
    });

    it("takes no node whose JSON changes numbers, and says what to do", async () => {
      await writeFile(
        join(bin, "node"),
        '#!/bin/sh\nexec "$REAL_NODE" -e "delete JSON.rawJSON; eval(process.argv[1])" "$2"\n',
      );
      await chmod(join(bin, "node"), 0o755);
      const { exitCode, stderr } = await execa(script, ["run", "--bundle", bundle, "id"], {
        reject: false,
        env: { PATH: `${bin}:/usr/bin:/bin`, REAL_NODE: process.execPath },
      });
      assert.equal(exitCode, 1);
      assert.match(
        stderr,
        /^keelson: .*gone.node is gone, and PATH has no node 22 or later; install one, then run `npm run up`$/,
      );
      assert.equal(await config(), '{"process":{}}');
    });
  });

  it("starts no step without the host's trust", async () => {
    await writeFile(join(bundle, "config.json"), "{}");
    await rm(trust, { recursive: true });
    const result = await run("run", "--bundle", bundle, "id");
    assert.equal(result.exitCode, 1);
    assert.match(result.stderr, /env\.json/);
  });
});
