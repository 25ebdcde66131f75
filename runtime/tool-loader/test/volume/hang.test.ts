import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DirectoryVolume } from "../../src/volume/directory.ts";
import { VolumeError } from "../../src/volume/volume.ts";
import { temporary } from "../support.ts";

describe("a directory that hangs", () => {
  it("is given up after its time, and not touched again", async function () {
    const root = await temporary(this);
    await mkdir(join(root, "v1"));
    // Opening a pipe that nobody writes to waits as a dead mount does.
    execFileSync("mkfifo", [join(root, "v1/object")]);
    await writeFile(join(root, "v1/fine"), "fine");
    const volume = new DirectoryVolume(root, { mounted: false, patience: 0.2 });
    const slow = (e: unknown) => e instanceof VolumeError && e.fault === "slow";
    await assert.rejects(volume.get("v1/object"), slow);
    const before = performance.now();
    await assert.rejects(volume.get("v1/fine"), slow);
    assert.ok(performance.now() - before < 100);
    // Lets the thread go, for the sake of this process.
    await writeFile(join(root, "v1/object"), "over");
  });
});
