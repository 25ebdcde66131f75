import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { capacity, fits } from "../../src/run/capacity.ts";
import { makeCage } from "../../src/run/cgroup.ts";
import { gently, giveWayAsSession } from "../../src/run/gentle.ts";
import { temporary } from "../support.ts";

describe("fits", () => {
  it("leaves a CPU to the gateway, and keeps to the memory that is free", () => {
    assert.equal(fits({ cpus: 2, memory: 1e9 }, [1e8], 1e8), false);
    assert.equal(fits({ cpus: 4, memory: 1e9 }, [1e8], 1e8), true);
    assert.equal(fits({ cpus: 4, memory: 1e9 }, [6e8], 6e8), false);
    assert.equal(fits({ cpus: 16, memory: 1e12 }, [1, 1], 1, 2), false);
  });

  it("always lets one run, and never more than CPUs and limit allow", () => {
    fc.assert(
      fc.property(
        fc.nat(64),
        fc.nat(1e9),
        fc.nat(1e9),
        fc.array(fc.nat(1e9)),
        fc.nat(1e9),
        (cpus, available, reserve, running, next) => {
          const room = capacity(cpus, available, reserve);
          const fit = fits(room, running, next);
          if (running.length === 0) assert.equal(fit, true);
          else if (fit) {
            assert.ok(running.length < Math.max(1, cpus - 1));
            assert.ok(running.reduce((a, b) => a + b, 0) + next <= Math.max(0, available - reserve));
          }
        },
      ),
    );
  });
});

describe("gently", () => {
  it("uses what the system has", () => {
    assert.deepEqual(
      gently("background", (argv) => argv[0] !== "chrt", "0"),
      ["ionice", "-c", "3", "nice", "-n", "19"],
    );
    assert.deepEqual(
      gently("background", () => false),
      [],
    );
  });

  it("leaves one of several processors alone, in the background", () => {
    const others = (cpus: string) =>
      gently("background", (argv) => argv[0] === "taskset", cpus)
        .slice(2)
        .join();
    assert.deepEqual(["0-1", "0-3", "2-3,8", "5,7-9", "0", "3-3", "", "all"].map(others), [
      "1",
      "1-3",
      "3,8",
      "7-9",
      "",
      "",
      "",
      "",
    ]);
    assert.deepEqual(
      gently("awaited", (argv) => argv[0] === "taskset", "0-3"),
      [],
    );
  });
});

describe("giveWayAsSession", () => {
  it("makes a session nice, whose own the kernel weighs alone, and says nothing of one that ended", function () {
    if (!existsSync("/proc/self/autogroup")) this.skip();
    const child = spawn("sleep", ["60"], { stdio: "ignore", detached: true });
    try {
      giveWayAsSession(child.pid as number, 7);
      assert.match(readFileSync(`/proc/${child.pid}/autogroup`, "utf8"), / nice 7$/m);
    } finally {
      child.kill("SIGKILL");
    }
    giveWayAsSession(2 ** 22 + 1);
  });
});

describe("makeCage", () => {
  it("limits memory, processes and CPU with cgroup v2, and first makes room beside", async function () {
    const root = await temporary(this);
    await mkdir(join(root, "pod/main"), { recursive: true });
    await mkdir(join(root, "pod/tools"), { recursive: true });
    await writeFile(join(root, "cgroup.controllers"), "cpu memory pids\n");
    await writeFile(join(root, "pod/cgroup.procs"), "7\n");
    await writeFile(join(root, "self"), "0::/pod\n");
    const cage = await makeCage({ memory: 1e9, processes: 64 }, root, join(root, "self"));
    assert.equal(cage?.version, 2);
    assert.equal(await readFile(join(root, "pod/main/cgroup.procs"), "utf8"), "7");
    assert.equal(await readFile(join(root, "pod/cgroup.subtree_control"), "utf8"), "+memory +pids+cpu");
    assert.equal(await readFile(join(root, "pod/tools/memory.max"), "utf8"), "1000000000");
    assert.equal(await readFile(join(root, "pod/tools/cpu.weight"), "utf8"), "1");
    assert.equal(await readFile(join(root, "pod/tools/cpu.idle"), "utf8"), "1");
    const procs = [join(root, "pod/tools/cgroup.procs")];
    assert.deepEqual(cage?.join, { background: procs, awaited: procs });
  });

  it("gives what is in the background idle time alone with cgroup v1, and somebody's wait its share", async function () {
    const root = await temporary(this);
    for (const controller of ["memory", "cpu"]) await mkdir(join(root, controller, "pod"), { recursive: true });
    await writeFile(join(root, "self"), "4:memory:/pod\n1:cpu,cpuacct:/pod\n0::/\n");
    const cage = await makeCage({ memory: 1e9, processes: 64 }, root, join(root, "self"));
    assert.equal(cage?.version, 1);
    const own = (controller: string, file: string) => join(root, controller, `pod/tool-loader-${process.pid}`, file);
    assert.equal(await readFile(own("memory", "memory.limit_in_bytes"), "utf8"), "1000000000");
    assert.equal(await readFile(own("cpu", "cpu.idle"), "utf8"), "1");
    const awaited = [own("memory", "cgroup.procs")];
    assert.deepEqual(cage?.join, { background: [...awaited, own("cpu", "cgroup.procs")], awaited });
  });

  it("does without processor time of its own where it may not make a group for it", async function () {
    const root = await temporary(this);
    await mkdir(join(root, "memory/pod"), { recursive: true });
    await writeFile(join(root, "self"), "4:memory:/pod\n1:cpu:/pod\n");
    const cage = await makeCage({ memory: 1e9, processes: 64 }, root, join(root, "self"));
    assert.deepEqual(cage?.join.background, cage?.join.awaited);
  });

  it("does without where there is no control group or no right to one", async function () {
    const root = await temporary(this);
    assert.equal(await makeCage({ memory: 1, processes: 1 }, root, join(root, "nothing")), undefined);
    await writeFile(join(root, "self"), "4:memory:/x\n");
    await writeFile(join(root, "memory"), "a file where a directory should be");
    assert.equal(await makeCage({ memory: 1, processes: 1 }, root, join(root, "self")), undefined);
  });

  it("does without where the kernel names a group that its file system doesn't show, as in a container without a cgroup mount", async function () {
    const root = await temporary(this);
    await writeFile(join(root, "self"), "4:memory:/keelson/gateway\n");
    // A file system of the kernel's refuses a new directory with ENOENT, whatever stands above it.
    for (const kernel of ["/proc", "/sys"])
      assert.equal(await makeCage({ memory: 1, processes: 1 }, kernel, join(root, "self")), undefined);
  });
});
