import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noteTiming, parseTimings, timed } from "../../toolchain/timings.ts";

describe("timings", () => {
  let folder: string;
  const before = process.env.KEELSON_TIMINGS;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson timings "));
    process.env.KEELSON_TIMINGS = join(folder, "timings");
  });
  afterEach(() => {
    if (before === undefined) delete process.env.KEELSON_TIMINGS;
    else process.env.KEELSON_TIMINGS = before;
    rmSync(folder, { recursive: true });
  });
  const noted = () => parseTimings(readFileSync(join(folder, "timings"), "utf8"));

  it("are a line for each piece of work, failed ones too, and change no result", async () => {
    assert.equal(await timed("tool buildx", async () => 7), 7);
    await assert.rejects(
      timed("smoke web linux/amd64", async () => {
        throw new Error("no");
      }),
      /no/,
    );
    noteTiming("push web linux/amd64", 1.23456);
    assert.deepEqual(
      noted().map((t) => t.name),
      ["tool buildx", "smoke web linux/amd64", "push web linux/amd64"],
    );
    assert.equal(noted()[2]?.seconds, 1.235);
  });

  it("are noted nowhere without KEELSON_TIMINGS", async () => {
    delete process.env.KEELSON_TIMINGS;
    await timed("tool buildx", async () => undefined);
    assert.equal(existsSync(join(folder, "timings")), false);
  });
});
