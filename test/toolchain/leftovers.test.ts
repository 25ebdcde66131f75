import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { removeDead, removeOld, scratch } from "../../toolchain/leftovers.ts";

describe("scratch", () => {
  let parent: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "keelson scratch "));
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  const folder = (name: string) => {
    mkdirSync(join(parent, name, "deep"), { recursive: true });
    return join(parent, name);
  };
  const deadPid = () => spawnSync("true").pid;
  /** Start and pid namespace as the running process writes them. */
  const mine = async () => /-\d+\.(\d*)\.(\d*)-/.exec(basename(await scratch(parent, "probe")))?.slice(1) ?? [];

  it("is a new folder each time, and stays while its process runs", async () => {
    const one = await scratch(parent, "base");
    const two = await scratch(parent, "base");
    assert.notEqual(one, two);
    assert.ok(existsSync(one) && existsSync(two));
  });

  it("goes with its process, but after kill -9", () => {
    const run = (end: string) => {
      const module = JSON.stringify(join(import.meta.dirname, "../../toolchain/leftovers.ts"));
      const program = `import { writeFileSync } from "node:fs"; import { scratch } from ${module};
        const dir = await scratch(process.argv[1], "base"); writeFileSync(dir + "/file", "");\n${end}`;
      spawnSync(process.execPath, ["--input-type=module", "-e", program, parent], { stdio: "inherit" });
      return readdirSync(parent).length;
    };
    assert.equal(run("process.exit(1)"), 0);
    assert.equal(run('process.kill(process.pid, "SIGKILL")'), 1);
  });

  it("removes what dead processes left under the same name", async () => {
    const dead = [folder(`base-${deadPid()}-0a1b`), folder(`base-${deadPid()}.1.-0a1b`)];
    const others = [folder(`image-${deadPid()}-0a1b`), folder("base-notes"), folder(`base-${process.pid}-0a1b`)];
    await scratch(parent, "base");
    assert.deepEqual(dead.filter(existsSync), []);
    assert.deepEqual(others.filter(existsSync), others);
  });

  it("knows a process that has a dead one's pid", async function () {
    const [start, space] = await mine();
    if (!start) this.skip(); // no /proc
    const reused = folder(`base-${process.pid}.${Number(start) + 1}.${space}-0a1b`);
    const own = folder(`base-${process.pid}.${start}.${space}-0a1b`);
    await scratch(parent, "base");
    assert.deepEqual([existsSync(reused), existsSync(own)], [false, true]);
  });

  it("leaves another container's alone for a day", async function () {
    const [start, space] = await mine();
    if (!start) this.skip();
    const recent = folder(`base-${deadPid()}.${start}.${space}1-0a1b`);
    const old = folder(`base-${deadPid()}.${start}.${space}1-0a1c`);
    const yesterday = Date.now() / 1000 - 25 * 3600;
    utimesSync(old, yesterday, yesterday);
    await scratch(parent, "base");
    assert.deepEqual([existsSync(recent), existsSync(old)], [true, false]);
    assert.equal(readdirSync(parent).length, 3);
  });
});

describe("removeDead", () => {
  it("removes the folders of dead processes alone, whatever they were for", async () => {
    const parent = mkdtempSync(join(tmpdir(), "keelson dead "));
    try {
      const { pid } = spawnSync("true");
      const dead = [`image-${pid}-0a1b2c3d`, `pulumi-resource-docker-build-${pid}.12.-a1b2`];
      const kept = [`image-${process.pid}-0a1b`, "notes", `buildctl.${pid}`, `-${pid}`];
      for (const name of [...dead, ...kept]) mkdirSync(join(parent, name));
      assert.deepEqual((await removeDead(parent)).toSorted(), dead.toSorted());
      assert.deepEqual(readdirSync(parent).toSorted(), kept.toSorted());
    } finally {
      rmSync(parent, { recursive: true });
    }
  });
});

describe("removeOld", () => {
  it("removes what was written long ago, looking once a day", async () => {
    const cache = mkdtempSync(join(tmpdir(), "keelson cache "));
    const write = (name: string, days: number) => {
      const path = join(cache, name);
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, "");
      const then = new Date(Date.now() - days * 24 * 3600 * 1000);
      utimesSync(path, then, then);
      return path;
    };
    const [young, old] = [write("v24/young", 13), write("v24/old", 15)];
    await removeOld(cache, 14);
    assert.deepEqual([existsSync(young), existsSync(old)], [true, false]);
    const later = write("v24/later", 15);
    await removeOld(cache, 14);
    assert.ok(existsSync(later), "it has looked today");
    write(".looked", 2);
    await removeOld(cache, 14);
    assert.deepEqual([existsSync(young), existsSync(later)], [true, false]);
    rmSync(cache, { recursive: true });
    await removeOld(cache, 14);
    assert.ok(!existsSync(cache), "it makes nothing");
  });
});
