import assert from "node:assert/strict";
import { bestEncoding } from "../../src/archive/zstd.ts";

describe("bestEncoding", () => {
  it("is zstd where node or a program has it, gzip elsewhere", () => {
    assert.equal(bestEncoding(true, "no-such-program"), "zstd");
    assert.equal(bestEncoding(false, "true"), "zstd");
    assert.equal(bestEncoding(false, "no-such-program"), "gzip");
  });
});
