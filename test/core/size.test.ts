import assert from "node:assert/strict";
import fc from "fast-check";
import { formatBytes, parseSize } from "../../core/size.ts";

describe("size", () => {
  for (const [text, bytes] of [
    ["0 B", 0],
    ["105 MB", 105_000_000],
    ["50 MiB", 52_428_800],
    ["1.5 GB", 1_500_000_000],
    ["2 kB", 2000],
    ["1 GiB", 1_073_741_824],
  ] as const)
    it(`${text} is ${bytes} bytes`, () => assert.equal(parseSize(text), bytes));

  for (const text of ["", "50", "MB", "-1 MB", "1 mb", "1 TB", "1  MB", "1e3 MB"])
    it(`refuses ${JSON.stringify(text)} and says what was found`, () =>
      assert.throws(() => parseSize(text), {
        name: "RangeError",
        message: new RegExp(`found ${JSON.stringify(text)}`),
      }));

  for (const [bytes, text] of [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [99_950, "100 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [488_900_000, "489 MB"],
    [2_851_000_000, "2.9 GB"],
    [-7_300_000, "-7.3 MB"],
  ] as const)
    it(`${bytes} reads as ${text}`, () => assert.equal(formatBytes(bytes), text));

  it("never shows more than four characters of number", () =>
    fc.assert(
      fc.property(fc.nat({ max: 9e11 }), (bytes) => {
        assert.match(formatBytes(bytes), /^\d{1,3}(?:\.\d)? (?:B|kB|MB|GB)$/);
      }),
    ));
});
