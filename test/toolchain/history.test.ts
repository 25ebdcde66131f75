import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BuildRecord, openHistory } from "../../toolchain/history.ts";

const record: BuildRecord = {
  at: 1_795_000_000_000,
  image: "worker-minimal",
  platform: "linux/arm64",
  contentHash: "ab".repeat(32),
  node: "local",
  mode: "qemu",
  outcome: "built",
  seconds: 61.5,
  compressed: 219_000_000,
  unpacked: 489_000_000,
  steps: 9,
  cached: 4,
};

describe("history", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson history "));
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  it("gives back what was recorded, newest first", () => {
    const { compressed, unpacked, steps, cached, ...failed } = record;
    {
      using history = openHistory(root);
      history.record(record);
      history.record({ ...failed, at: record.at + 1, outcome: "failed" });
      history.record({ ...record, platform: "linux/amd64" });
    }
    using history = openHistory(root);
    assert.deepEqual(history.builds("worker-minimal", "linux/arm64", 10), [
      { ...failed, at: record.at + 1, outcome: "failed" },
      record,
    ]);
    assert.equal(history.builds("worker-minimal", "linux/arm64", 1).length, 1);
    assert.deepEqual(history.builds("other", "linux/arm64", 10), []);
  });

  it("keeps a bounded number of records", () => {
    using history = openHistory(root);
    for (let i = 0; i < 210; i++) history.record({ ...record, at: i });
    const kept = history.builds("worker-minimal", "linux/arm64", 1000);
    assert.equal(kept.length, 200);
    assert.equal(kept[0]?.at, 209);
  });

  it("takes two writers", () => {
    using one = openHistory(root);
    using two = openHistory(root);
    one.record(record);
    two.record(record);
    assert.equal(one.builds("worker-minimal", "linux/arm64", 10).length, 2);
  });

  it("puts a damaged file aside and begins anew", () => {
    mkdirSync(join(root, ".keelson"));
    writeFileSync(join(root, ".keelson/history.db"), "this is no database, whatever its name says\n".repeat(100));
    using history = openHistory(root);
    history.record(record);
    assert.equal(history.builds("worker-minimal", "linux/arm64", 10).length, 1);
    assert.ok(existsSync(join(root, ".keelson/history.db.damaged")));
  });
});
