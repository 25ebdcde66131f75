import assert from "node:assert/strict";
import { formatSeconds, isDuration, parseDuration } from "../../core/duration.ts";

describe("duration", () => {
  for (const [text, seconds] of [
    ["30 s", 30],
    ["500 ms", 0.5],
    ["5 min", 300],
    ["1.5 h", 5400],
    ["30 d", 2_592_000],
  ] as const)
    it(`${text} is ${seconds} s`, () => {
      assert.equal(parseDuration(text), seconds);
      assert(isDuration(text));
    });

  for (const text of ["", "30", "s", "-1 s", "1 day"])
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseDuration(text), RangeError);
      assert(!isDuration(text));
    });

  for (const [seconds, text] of [
    [0, "0.0s"],
    [9.94, "9.9s"],
    [9.96, "10s"],
    [59.4, "59s"],
    [59.6, "1m00s"],
    [83.4, "1m23s"],
    [3600, "1h00m"],
    [5430, "1h30m"],
  ] as const)
    it(`${seconds} s reads as ${text}`, () => assert.equal(formatSeconds(seconds), text));
});
