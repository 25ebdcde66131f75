import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import { type CommandOptions, howItEnded, runCommand } from "../../src/run/command.ts";
import { processesOf, sweep } from "../../src/run/sweep.ts";
import { temporary } from "../support.ts";

const options: CommandOptions = {
  cwd: "/",
  env: { PATH: process.env.PATH ?? "" },
  timeout: 10,
  grace: 0.2,
  run: `test-${process.pid}`,
  clock: systemClock,
};

function sh(script: string, more: Partial<CommandOptions> = {}) {
  return runCommand(["sh", "-c", script], { ...options, ...more });
}

async function alive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/\) Z /.test(stat);
}

describe("runCommand", () => {
  it("gives the exit code and what was printed, head and tail", async () => {
    const result = await sh("echo out; echo err >&2; exit 3");
    assert.equal(result.code, 3);
    assert.deepEqual(result.output.trim().split("\n").toSorted(), ["err", "out"]);
    assert.equal(howItEnded("it", result, options), "it ended with exit code 3");
    const long = await sh("head -c 1000000 /dev/zero | tr '\\0' x; echo end");
    assert.ok(long.output.length < 40_000);
    assert.ok(long.output.endsWith("end\n"));
    assert.equal(long.stopped, undefined);
  });

  it("asks a command that takes too long to end, then ends its whole group", async function () {
    const root = await temporary(this);
    const pids = join(root, "pids");
    const result = await sh(`trap '' TERM; sleep 100 & echo $$ $! > ${pids}; sleep 100; sleep 100`, { timeout: 0.3 });
    assert.equal(result.stopped, "timeout");
    assert.equal(howItEnded("it", result, { timeout: 0.3 }), "it did not end within 0.3 s and was stopped");
    for (const pid of (await readFile(pids, "utf8")).trim().split(" ")) assert.equal(await alive(Number(pid)), false);
  });

  it("lets a command clean up when it is asked to end", async function () {
    const root = await temporary(this);
    await sh(`trap 'echo clean > ${root}/said; exit 1' TERM; while :; do sleep 0.05; done`, { timeout: 0.3, grace: 5 });
    assert.equal(await readFile(join(root, "said"), "utf8"), "clean\n");
  });

  it("stops what prints for ever", async () => {
    const result = await sh("yes", { maxOutput: 100_000 });
    assert.equal(result.stopped, "output");
    assert.match(howItEnded("it", result, { timeout: 1, maxOutput: 100_000 }), /printed more than 100000 bytes/);
  });

  it("ends what forked away into a session of its own, also after a good end", async function () {
    const root = await temporary(this);
    const result = await sh(`setsid sh -c 'echo $$ > ${root}/pid; exec sleep 100' >/dev/null 2>&1 & sleep 0.2; exit 0`);
    assert.equal(result.code, 0);
    assert.equal(await alive(Number(await readFile(join(root, "pid"), "utf8"))), false);
  });

  it("does not wait for a descendant that holds its output open", async () => {
    const result = await sh("sleep 100 & exit 0");
    assert.equal(result.code, 0);
    assert.ok(result.seconds < 5);
  });

  it("is stopped by a signal from outside", async () => {
    const over = new AbortController();
    const running = sh("sleep 100", { signal: over.signal });
    setTimeout(() => over.abort(), 100);
    assert.equal((await running).stopped, "aborted");
    assert.equal((await sh("sleep 100", { signal: over.signal })).stopped, "aborted");
  });

  it("tells of a command that isn't there", async () => {
    const result = await runCommand(["no-such-program"], options);
    assert.equal(result.code, 127);
    assert.match(result.output, /ENOENT/);
  });

  it("gives only the environment it was told to", async () => {
    process.env.TOOL_LOADER_TEST_SECRET = "hidden";
    const { output } = await sh("env");
    assert.ok(!output.includes("hidden"));
    assert.match(output, /^TOOL_LOADER_RUN=/m);
  });
});

describe("sweep", () => {
  it("finds and ends what a killed loader left, and nothing of other runs", async function () {
    const root = await temporary(this);
    const [mine, other] = [`sweep-${process.pid}/a`, `sweep-${process.pid}/b`];
    await writeFile(join(root, "start.sh"), "setsid sleep 100 >/dev/null 2>&1 & echo $!");
    const { spawnSync } = await import("node:child_process");
    for (const run of [mine, other])
      spawnSync("sh", [join(root, "start.sh")], {
        env: { PATH: process.env.PATH, TOOL_LOADER_RUN: `${run}/1` },
        stdio: "ignore",
      });
    // On its way to the sleep there are a shell and setsid, which have the variable too.
    const sleeps = async (run: string) => {
      const pids = await processesOf(run);
      const names = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")));
      return names.join() === "sleep\n";
    };
    for (const run of [mine, other]) while (!(await sleeps(run))) await systemClock.sleep(0.02);
    assert.equal(await sweep(`${mine}/`), 1);
    assert.deepEqual(await processesOf(mine), []);
    assert.equal((await processesOf(other)).length, 1);
    await sweep(other);
  });

  it("is not held up by a process that has no environment, and leaves it alone", async () => {
    const { spawn } = await import("node:child_process");
    const child = spawn("sleep", ["100"], { env: {}, stdio: "ignore" });
    try {
      while ((await readFile(`/proc/${child.pid}/comm`, "utf8")) !== "sleep\n") await systemClock.sleep(0.02);
      assert.equal(await sweep(`sweep-${process.pid}/none`), 0);
      assert.equal(child.exitCode ?? child.signalCode, null);
    } finally {
      child.kill();
    }
  });
});
