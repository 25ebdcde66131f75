import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const cli = join(import.meta.dirname, "../../cli");
/** Stands for the engine: tells each signal as it does, and ends 600 ms after the first with their number. */
const ENGINE = `#!${process.execPath}
let signals = 0;
for (const [signal, name] of [["SIGINT", "^C"], ["SIGTERM", "SIGTERM"]])
  process.on(signal, () => {
    if (signals++ === 0) setTimeout(() => process.exit(signals), 600);
    console.log(name + " received; " + (signals === 1 ? "cancelling" : "terminating"));
  });
if (process.argv.includes("busy") || process.argv.includes("dead"))
  console.log("error: Detected that /p exited prematurely. \\n  To assist … STDOUT and STDERR streams of the plugin:" +
    (process.argv.includes("dead") ? "TypeError: x" : "\\n"));
console.log("begun: " + process.argv.slice(2).join(" "));
setTimeout(() => process.exit(0), /quick|busy|dead/.test(process.argv.join()) ? 0 : 60_000);
`;

describe("the engine without a terminal", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson engine "));
    writeFileSync(join(folder, "pulumi"), ENGINE, { mode: 0o755 });
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Runs it as a group of processes, acts once it has begun, and tells how it ended. */
  async function run(args: string, act: (pid: number) => void = () => {}) {
    const program = `import { runEngine } from ${JSON.stringify(join(cli, "engine.ts"))};
      import { endOnSignals } from ${JSON.stringify(join(cli, "signals.ts"))};
      endOnSignals();
      const end = await runEngine(${JSON.stringify([args])}, { cwd: "/", env: {} }, false, 250);
      console.log(JSON.stringify(end));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      detached: true,
      env: { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    child.stdout.on("data", (data) => {
      if (said === "") act(child.pid ?? 0);
      said += data;
    });
    child.stderr.on("data", (data) => {
      said += data;
    });
    await once(child, "close");
    return said.trim().split("\n");
  }

  it("is passed through, with its exit code", async () => {
    assert.deepEqual(await run("quick"), ["begun: quick", '{"exitCode":0,"stopped":false}']);
  });

  it("is explained where it takes a plugin that is slow to answer for one that died", async () => {
    const note = /^note: a plugin that "exited prematurely"/;
    assert.match((await run("busy")).find((line) => line.startsWith("note")) ?? "", note);
    assert.doesNotMatch((await run("dead")).join("\n"), /note:/);
  });

  for (const [signal, name] of [
    ["SIGINT", "^C"],
    ["SIGTERM", "SIGTERM"],
  ] as const) {
    const expected = ["begun: slow", `${name} received; cancelling`, '{"exitCode":1,"stopped":true}'];

    it(`gets ${signal} once where all of the group got it`, async () => {
      assert.deepEqual(await run("slow", (pid) => process.kill(-pid, signal)), expected);
    });

    it(`gets ${signal} once where keelson alone got it`, async () => {
      assert.deepEqual(await run("slow", (pid) => process.kill(pid, signal)), expected);
    });

    it(`gets ${signal} once where keelson got it twice, from the group and from npm`, async () => {
      const both = (pid: number) => {
        process.kill(-pid, signal);
        setTimeout(() => process.kill(pid, signal), 50);
      };
      assert.deepEqual(await run("slow", both), expected);
    });
  }

  it("gets a second one that comes later, which makes it drop what it does", async () => {
    const twice = (pid: number) => {
      process.kill(-pid, "SIGINT");
      setTimeout(() => process.kill(-pid, "SIGINT"), 400);
    };
    const [, ...rest] = await run("slow", twice);
    assert.deepEqual(rest, ["^C received; cancelling", "^C received; terminating", '{"exitCode":2,"stopped":true}']);
  });
});
