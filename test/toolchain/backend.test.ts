import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { breakStaleLocks, healAttributes, liveStackLocks, stackExists } from "../../toolchain/backend.ts";

describe("local backend", () => {
  let state: string;
  let locks: string;
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), "keelson state "));
    locks = join(state, ".pulumi/locks/organization/keelson/dev");
    mkdirSync(locks, { recursive: true });
  });
  afterEach(() => rmSync(state, { recursive: true }));

  const lock = (name: string, content: unknown) => {
    const file = join(locks, `${name}.json`);
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
    return file;
  };
  const deadPid = () => spawnSync("true").pid;

  it("breaks the lock of a dead process of this machine, and no other", () => {
    const dead = lock("dead", { pid: deadPid(), hostname: hostname() });
    const others = [
      lock("alive", { pid: process.pid, hostname: hostname() }),
      lock("elsewhere", { pid: deadPid(), hostname: "another-machine" }),
      lock("half", '{"pid": 1'),
    ];
    assert.deepEqual(
      breakStaleLocks(state, "keelson", "dev").map((l) => l.file),
      [dead],
    );
    assert.equal(existsSync(dead), false);
    assert.ok(others.every((f) => existsSync(f)));
    assert.equal(liveStackLocks(state, "keelson", "dev").length, 2);
  });

  it("knows a process that has ended and that nobody asked how", async function () {
    if (!existsSync("/proc/self/stat")) this.skip();
    // The child ends when the shell has become a sleep, which never asks.
    const parent = spawn("sh", ["-c", "sleep 0.3 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [data] = await once(parent.stdout, "data");
      const pid = Number(String(data));
      const isZombie = () => readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
      for (let i = 0; i < 500 && !isZombie(); i++) await new Promise((turn) => setTimeout(turn, 10));
      assert.ok(isZombie());
      lock("ended", { pid, hostname: hostname() });
      assert.equal(breakStaleLocks(state, "keelson", "dev").length, 1);
    } finally {
      parent.kill();
    }
  });

  it("knows a lock whose pid is another process' now", function () {
    if (!existsSync("/proc/self/stat")) this.skip();
    const locked = { pid: process.pid, hostname: hostname() };
    const old = lock("old", { ...locked, timestamp: new Date(Date.now() - 3600_000).toISOString() });
    const own = lock("own", { ...locked, timestamp: new Date().toISOString() });
    assert.deepEqual(
      breakStaleLocks(state, "keelson", "dev").map((l) => l.file),
      [old],
    );
    assert.equal(existsSync(own), true);
  });

  it("takes away attributes that a killed engine left without their file, or cut short", () => {
    lock("alive", { pid: process.pid, hostname: hostname() });
    for (const name of ["alive", "gone"]) writeFileSync(join(locks, `${name}.json.attrs`), "{}");
    const stacks = join(state, ".pulumi/stacks/keelson");
    mkdirSync(stacks, { recursive: true });
    for (const name of ["dev", "prod"]) writeFileSync(join(stacks, `${name}.json`), "{}");
    writeFileSync(join(stacks, "dev.json.attrs"), "");
    writeFileSync(join(stacks, "prod.json.attrs"), '{"md5":""}');
    healAttributes(state, "keelson", "dev");
    assert.deepEqual(readdirSync(locks).toSorted(), ["alive.json", "alive.json.attrs"]);
    assert.deepEqual(readdirSync(stacks).toSorted(), ["dev.json", "prod.json", "prod.json.attrs"]);
    rmSync(join(state, ".pulumi"), { recursive: true });
    healAttributes(state, "keelson", "dev");
  });

  it("finds no lock where there is no state", () => {
    rmSync(join(state, ".pulumi"), { recursive: true });
    assert.deepEqual(breakStaleLocks(state, "keelson", "dev"), []);
  });

  it("knows a stack by its checkpoint, compressed or not", () => {
    assert.equal(stackExists(state, "keelson", "dev"), false);
    mkdirSync(join(state, ".pulumi/stacks/keelson"), { recursive: true });
    writeFileSync(join(state, ".pulumi/stacks/keelson/dev.json.gz"), "");
    assert.equal(stackExists(state, "keelson", "dev"), true);
  });
});
