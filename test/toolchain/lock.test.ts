import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { acquireLock, breakDeadLocks, describeHolder, isDead, lockHolder, withLock } from "../../toolchain/lock.mjs";

const module = join(import.meta.dirname, "../../toolchain/lock.mjs");

/** A process that takes the lock, says so, and ends when its input does. */
function lockingProcess(file: string) {
  const program = `import { acquireLock } from ${JSON.stringify(module)};
    await acquireLock(process.argv[1], { what: "testing" }); console.log("held"); process.stdin.resume();`;
  return spawn(process.execPath, ["--input-type=module", "-e", program, file], { stdio: ["pipe", "pipe", "inherit"] });
}

describe("lock", () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson lock "));
    file = join(folder, "locks", "one.lock");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("is there while held and gone afterwards", async () => {
    await withLock(file, async () => assert.equal(lockHolder(file)?.pid, process.pid));
    assert.ok(!existsSync(file));
  });

  it("is given back when the work fails", async () => {
    await assert.rejects(
      withLock(file, async () => {
        throw new Error("no");
      }),
      /no/,
    );
    assert.ok(!existsSync(file));
  });

  it("lets one in at a time", async () => {
    let inside = 0;
    const once = () =>
      withLock(
        file,
        async () => {
          assert.equal(++inside, 1);
          await new Promise((done) => setTimeout(done, 2));
          inside--;
        },
        { pollMs: 1 },
      );
    await Promise.all(Array.from({ length: 10 }, once));
  });

  it("goes to who came first, however often each looks", async () => {
    const order: number[] = [];
    const unlock = await acquireLock(file, { inTurn: true });
    const waiting = [60, 20, 1].map(async (pollMs, i) => {
      await new Promise((done) => setTimeout(done, i * 20));
      await withLock(file, async () => void order.push(i), { inTurn: true, pollMs });
    });
    await new Promise((done) => setTimeout(done, 100));
    unlock();
    await Promise.all(waiting);
    assert.deepEqual(order, [0, 1, 2]);
    assert.ok(!existsSync(`${file}.queue`));
  });

  it("says once who holds it, then follows", async () => {
    const other = lockingProcess(file);
    await once(other.stdout, "data");
    const waits: string[] = [];
    const mine = acquireLock(file, { onWait: (holder) => waits.push(describeHolder(holder)), pollMs: 5 });
    await new Promise((done) => setTimeout(done, 50));
    other.stdin.end();
    (await mine)();
    const [said = "", ...more] = waits;
    assert.deepEqual(more, []);
    assert.ok(said.startsWith(`process ${other.pid} on ${hostname()} (testing), since 20`), said);
  });

  it("is broken when its holder was killed", async () => {
    const other = lockingProcess(file);
    await once(other.stdout, "data");
    other.kill("SIGKILL");
    await once(other, "exit");
    assert.equal(lockHolder(file)?.pid, other.pid);
    const broken: number[] = [];
    const options = { onBroken: ({ pid }: { pid: number }) => broken.push(pid) };
    await withLock(file, async () => assert.equal(lockHolder(file)?.pid, process.pid), options);
    assert.deepEqual(broken, [other.pid]);
  });

  it("is taken away with others of dead processes, and no others are", async () => {
    const unlock = await acquireLock(file);
    const dead = join(folder, "locks", "dead.lock");
    writeFileSync(dead, JSON.stringify({ ...deadHolder(unlock), id: "dead" }));
    const half = join(folder, "locks", "half.lock");
    writeFileSync(half, "{");
    assert.deepEqual(
      breakDeadLocks(join(folder, "locks")).map(({ id }) => id),
      ["dead"],
    );
    assert.deepEqual([existsSync(dead), existsSync(half)], [false, true]);
  });

  it("has one winner when many break it at once", async () => {
    writeFileSync(join(folder, "dead.lock"), JSON.stringify({ ...deadHolder(await acquireLock(file)), id: "dead" }));
    let inside = 0;
    const breaker = () =>
      withLock(
        join(folder, "dead.lock"),
        async () => {
          assert.equal(++inside, 1);
          await new Promise((done) => setTimeout(done, 1));
          inside--;
        },
        { pollMs: 1 },
      );
    await Promise.all(Array.from({ length: 20 }, breaker));
  });

  function deadHolder(unlock: () => void) {
    const me = lockHolder(file);
    unlock();
    assert.ok(me);
    return { ...me, start: "1" };
  }

  it("knows a pid that was used again", async () => {
    await withLock(file, async () => {
      const me = lockHolder(file);
      assert.ok(me);
      assert.equal(isDead(me), false);
      assert.equal(isDead({ ...me, start: "1" }), process.platform === "linux");
    });
  });

  it("never breaks one of another machine or container", async () => {
    await withLock(file, async () => {
      const me = lockHolder(file);
      assert.ok(me);
      assert.equal(isDead({ ...me, pid: 2 ** 22 + 1, host: "elsewhere" }), false);
      assert.equal(isDead({ ...me, pid: 2 ** 22 + 1, space: "pid:[1]" }), false);
      assert.equal(isDead({ ...me, pid: 2 ** 22 + 1 }), true);
    });
  });

  it("is broken when it stayed half-written", async () => {
    await withLock(file, async () => {});
    writeFileSync(file, '{"pid":');
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(file, longAgo, longAgo);
    await withLock(file, async () => assert.equal(JSON.parse(readFileSync(file, "utf8")).pid, process.pid));
  });

  it("can be given up waiting for", async () => {
    await withLock(file, async () => {
      const stop = new AbortController();
      const waiting = acquireLock(file, { signal: stop.signal, onWait: () => stop.abort(), pollMs: 5 });
      await assert.rejects(waiting, { name: "AbortError" });
    });
  });
});
