import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { exportLines } from "../../cli/env.ts";

/** What a POSIX shell has in the variable after it evaluated the lines as `eval "$(keelson env)"` does. */
function throughShell(lines: string): string {
  const script = 'eval "$LINES_TO_EVAL"; printf %s "$VALUE"';
  return execFileSync("sh", ["-c", script], { env: { LINES_TO_EVAL: lines }, encoding: "utf8" });
}

describe("keelson env", () => {
  for (const value of [
    "",
    "a b",
    "it's",
    "'",
    "''",
    '"',
    "$HOME `id` $(id)",
    "\\",
    "a\nb",
    "*",
    "~",
    "ü",
    "-n",
    "a;b&c",
  ]) {
    it(`quotes ${JSON.stringify(value)}`, () => assert.equal(throughShell(exportLines({ VALUE: value })), value));
  }

  it("quotes anything", () => {
    const value = fc.string({ unit: "binary", maxLength: 20 }).filter((s) => !s.includes("\0") && s.isWellFormed());
    fc.assert(
      fc.property(value, (text) => assert.equal(throughShell(exportLines({ VALUE: text })), text)),
      { numRuns: 50 },
    );
  });
});
