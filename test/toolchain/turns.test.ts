import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { takeTurn } from "../../toolchain/turns.mjs";

describe("turns", () => {
  let folder: string;
  let line: string;
  let time: number;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson turns "));
    line = join(folder, "line");
    time = Date.parse("2026-01-01T00:00:00Z");
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const take = (id: string) => takeTurn(line, id, () => time++);

  it("come in the order in which they were taken, and leave nothing", () => {
    const [first, second, third] = [take("c"), take("a"), take("b")];
    assert.deepEqual([third.isFirst(), second.isFirst(), first.isFirst()], [true, true, true]);
    assert.deepEqual([third.isFirst(), second.isFirst(), first.isFirst()], [false, false, true]);
    second.leave();
    assert.equal(third.isFirst(), false);
    first.leave();
    assert.equal(third.isFirst(), true);
    third.leave();
    assert.ok(!existsSync(line));
    // One that comes when the line is gone.
    assert.equal(take("d").isFirst(), true);
  });

  it("pass over who has not said for half a minute that it waits", () => {
    const [first, second] = [take("a"), take("b")];
    assert.deepEqual([first.isFirst(), second.isFirst()], [true, false]);
    time += 29_000;
    assert.equal(second.isFirst(), false);
    time += 2_000;
    assert.equal(second.isFirst(), true);
    // It was only slow.
    assert.deepEqual([first.isFirst(), second.isFirst()], [true, false]);
  });
});
