import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { endsWithArguments, identify, isRunning, waitForEnd } from "../../../toolchain/services/process.ts";

describe("processes", () => {
  before(function () {
    if (process.platform !== "linux") this.skip();
  });

  it("knows a process that runs, and that another with its pid is not it", async () => {
    const self = await identify(process.pid);
    assert.ok(self);
    assert.ok(await isRunning(self));
    assert.equal(await isRunning({ ...self, startTicks: "1" }), false);
    assert.equal(await isRunning({ ...self, boot: "another" }), false);
  });

  it("counts an ended process as gone", async () => {
    const child = spawn("sleep", ["60"]);
    const identity = child.pid === undefined ? undefined : await identify(child.pid);
    assert.ok(identity);
    assert.deepEqual(await waitForEnd([identity], 0), [identity]);
    child.kill("SIGKILL");
    assert.deepEqual(await waitForEnd([identity], 10), []);
    assert.equal(await identify(identity.pid), undefined);
  });

  it("compares the end of a command line, word by word", () => {
    const cmdline = "/usr/bin/registry\0serve\0/home/a b/config.yml\0";
    assert.ok(endsWithArguments(cmdline, ["serve", "/home/a b/config.yml"]));
    assert.equal(endsWithArguments(cmdline, ["serve", "/home/a"]), false);
    assert.equal(endsWithArguments("serve\0/home/a b/config.yml\0", ["serve", "/home/a b/config.yml"]), false);
    assert.equal(endsWithArguments("", ["serve"]), false);
  });
});
