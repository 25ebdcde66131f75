import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isNewEnough } from "../../toolchain/bootstrap/node.mjs";
import { diskFailure, Failure, npmProgram } from "../../toolchain/bootstrap/process.mjs";

const toolchain = join(import.meta.dirname, "../../toolchain");
/** Stands for npm in a checkout without packages: writes down its calls, and leaves the record that npm leaves. */
const NPM = `#!/bin/sh
echo "$*" >> "$NPM_LOG"
case "$1" in
  ci) sleep 0.1; [ -n "$NPM_FAILS" ] && { echo "npm error code E403" >&2; exit 1; }
      mkdir -p node_modules && cp package-lock.json node_modules/.package-lock.json ;;
  run) [ "$3" = slow ] && exec sleep 60; echo "ran $3 under $(node --version)" ; exit 7 ;;
esac
`;

describe("npm", () => {
  it("is a program, and on Windows a script of the node that runs or that npm itself runs on", () => {
    const node = "C:\\Program Files\\nodejs\\node.exe";
    const own = "C:\\Program Files\\nodejs\\node_modules\\npm\\bin\\npm-cli.js";
    const other = "D:\\npm\\bin\\npm-cli.js";
    assert.deepEqual(npmProgram("linux", {}, "/usr/bin/node"), ["npm"]);
    assert.deepEqual(npmProgram("darwin", { npm_execpath: "/opt/npm-cli.js" }, "/usr/bin/node"), ["npm"]);
    assert.deepEqual(npmProgram("win32", {}, node), [node, own]);
    assert.deepEqual(npmProgram("win32", { npm_execpath: other }, node), [node, other]);
    assert.deepEqual(npmProgram("win32", { npm_execpath: "C:\\pnpm.cjs" }, node), [node, own]);
  });
});

describe("bootstrap", () => {
  let root: string;
  beforeEach(() => {
    root = join(mkdtempSync(join(tmpdir(), "keelson bootstrap ")), "check out");
    mkdirSync(join(root, "bin"), { recursive: true });
    mkdirSync(join(root, "cli"));
    for (const part of ["bootstrap.mjs", "lock.mjs", "turns.mjs", "bootstrap", "node"]) {
      cpSync(join(toolchain, part), join(root, "toolchain", part), { recursive: true });
    }
    writeFileSync(join(root, "bin", "npm"), NPM, { mode: 0o755 });
    writeFileSync(
      join(root, "cli", "main.ts"),
      "const args: string[] = process.argv.slice(2);\nconsole.log(JSON.stringify(args));\n",
    );
    writeFileSync(join(root, "package.json"), '{"type":"module"}');
    lock({
      "": {},
      "node_modules/saw": { version: "1.0.0" },
      "node_modules/other": { version: "2.0.0", optional: true },
    });
  });
  afterEach(() => rmSync(dirname(root), { recursive: true }));

  function lock(packages: object, path = "package-lock.json") {
    writeFileSync(join(root, path), JSON.stringify({ packages }));
  }
  function installed(packages: object) {
    mkdirSync(join(root, "node_modules"), { recursive: true });
    lock(packages, "node_modules/.package-lock.json");
  }
  const npmCalls = () => {
    const log = join(root, "npm.log");
    return existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  };

  function start(args: string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
    const env = {
      PATH: `${join(root, "bin")}:${dirname(process.execPath)}:/usr/bin:/bin`,
      HOME: root,
      NPM_LOG: join(root, "npm.log"),
      ...environment,
    };
    return spawn(process.execPath, [join(root, "toolchain", "bootstrap.mjs"), ...args], { cwd: "/", env });
  }
  async function run(args: string[], environment?: NodeJS.ProcessEnv) {
    const child = start(args, environment);
    let [stdout, stderr] = ["", ""];
    child.stdout?.on("data", (data) => (stdout += data));
    child.stderr?.on("data", (data) => (stderr += data));
    const [code] = await once(child, "close");
    return { code, stdout, stderr };
  }

  it("installs once, then runs keelson at once; stdout is the command's alone", async () => {
    const first = await run(["env", "a b"]);
    assert.deepEqual(first, {
      code: 0,
      stdout: '["env","a b"]\n',
      stderr: "installing the packages of package-lock.json (npm ci)\n",
    });
    assert.deepEqual(await run(["env"]), { code: 0, stdout: '["env"]\n', stderr: "" });
    assert.equal(npmCalls().length, 1);
    assert.match(npmCalls()[0] ?? "", /^ci --ignore-scripts/);
  });

  const states: [string, object, boolean][] = [
    ["the same versions", { "node_modules/saw": { version: "1.0.0" } }, false],
    ["another version", { "node_modules/saw": { version: "1.0.1" } }, true],
    ["a package missing", {}, true],
    ["a package of another platform missing", { "node_modules/saw": { version: "1.0.0" }, "": {} }, false],
  ];
  for (const [name, packages, installs] of states) {
    it(`${installs ? "installs" : "installs nothing"} with ${name}`, async () => {
      installed(packages);
      assert.equal((await run([])).code, 0);
      assert.equal(npmCalls().length, installs ? 1 : 0);
    });
  }

  it("leaves a node_modules that is a link alone", async () => {
    symlinkSync("/nowhere", join(root, "node_modules"));
    assert.equal((await run([])).code, 0);
    assert.deepEqual(npmCalls(), []);
  });

  it("installs once when two start at the same time", async () => {
    const both = await Promise.all([run(["one"]), run(["two"])]);
    assert.deepEqual(both.map(({ code, stdout }) => [code, stdout]).sort(), [
      [0, '["one"]\n'],
      [0, '["two"]\n'],
    ]);
    assert.equal(npmCalls().length, 1);
  });

  it("tells npm's failure, runs nothing, and works the next time", async () => {
    const { code, stdout, stderr } = await run(["up"], { NPM_FAILS: "1" });
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /error: npm could not install the packages:\nnpm error code E403\n {2}npm's message above/);
    assert.equal((await run(["up"])).code, 0);
  });

  it("runs a script of package.json, with its exit code", async () => {
    installed({ "node_modules/saw": { version: "1.0.0" } });
    const { code, stdout } = await run(["--script", "test:all"]);
    assert.equal(code, 7);
    assert.equal(stdout, `ran test:all under ${process.version}\n`);
    assert.deepEqual(npmCalls(), ["run --silent test:all --"]);
  });

  for (const [signal, expected] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    it(`passes ${signal} on and leaves no process`, async () => {
      installed({ "node_modules/saw": { version: "1.0.0" } });
      const child = start(["--script", "slow"]);
      while (npmCalls().length === 0) await new Promise((done) => setTimeout(done, 10));
      child.kill(signal);
      const [code] = await once(child, "close"); // the streams close when nobody holds them any more
      assert.equal(code, expected);
    });
  }

  it("says what a full or read-only disk is, and leaves other errors alone", () => {
    const error = (code: string, syscall: string) => Object.assign(new Error(`${code}: told`), { code, syscall });
    for (const refused of [error("ENOSPC", "write"), error("EROFS", "open"), error("ENOENT", "mkdir")]) {
      const failure = diskFailure(refused, "/the/home", "set KEELSON_HOME");
      assert.ok(failure instanceof Failure);
      assert.match(failure.message, /^keelson can't write into \/the\/home: \w+: told\n {2}make room there, or set K/);
    }
    for (const other of [error("ENOENT", "open"), new TypeError("slip"), new Failure("told", "do")])
      assert.equal(diskFailure(other, "/the/home", "set KEELSON_HOME"), other);
  });

  const nodes: [string, boolean][] = [
    ["20.20.2", false],
    ["22.23.0", false],
    ["24.3.0", false],
    ["24.4.0", true],
    ["24.21.0", true],
    ["25.0.0", true],
  ];
  for (const [version, expected] of nodes) {
    it(`node ${version} is ${expected ? "" : "not "}new enough`, () => assert.equal(isNewEnough(version), expected));
  }
});
