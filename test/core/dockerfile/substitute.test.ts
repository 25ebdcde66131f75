import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { substitute } from "../../../core/dockerfile/substitute.ts";

const values: Record<string, string> = { x: "foo.bar.baz", y: "a b", e: "", v: "1.2.3" };
const value = (text: string) => {
  const result = substitute(text, (name) => values[name], "\\");
  return result.ok ? result.value : `refused: ${result.message}`;
};

describe("substitute", () => {
  it("replaces every form", () => {
    const table: [string, string][] = [
      ["$x-$", "foo.bar.baz-$"],
      ["${x}", "foo.bar.baz"],
      ["$unset.", "."],
      ["${u:-d}${u-d}${e:-d}${e-d}${x:-d}", "dddfoo.bar.baz"],
      ["${u:+a}${u+a}${e:+a}${e+a}${x:+a}", "aa"],
      ["${u:-${x:+in}}", "in"],
      ["${x#*.}|${x##*.}|${x%.*}|${x%%.*}", "bar.baz|baz|foo.bar|foo"],
      ["${x#f?o}", ".bar.baz"],
      ["${v%.*}", "1.2"],
      ["${x/./-}|${x//./-}", "foo-bar.baz|foo-bar-baz"],
      ["'$x' \"$x\" \\$x", "$x foo.bar.baz $x"],
      ['"a\\"b\\c"', 'a"b\\c'],
      ["$1a", "a"],
    ];
    for (const [text, expected] of table) assert.equal(value(text), expected, text);
  });

  it("tells names that are not set and have no word in their place, and names that were read", () => {
    const result = substitute("$u ${x} ${w:-$u2} $u", (name) => values[name], "\\");
    assert.deepEqual(result.ok && [result.missing, result.used], [["u", "u2"], ["x"]]);
  });

  it("refuses what the builder refuses", () => {
    for (const text of [
      "${",
      "${}",
      "${x",
      "${:x}",
      "${{x}}",
      "${x^^}",
      "${x:#a}",
      "'a",
      '"a',
      "${u:?}",
      "${e:?gone}",
      "${x#\\a}",
    ]) {
      assert.match(value(text), /^refused: /, text);
    }
    assert.equal(value("${e:?gone}"), "refused: e: gone");
  });

  it("splits words at blanks outside quotes", () => {
    const result = substitute('a "b c" d\\ e $y', (name) => values[name], "\\");
    assert.deepEqual(result.ok && result.words, ["a", "b c", "d e", "a", "b"]);
  });

  it("agrees with the shell on every POSIX form", () => {
    const name = fc.constantFrom("x", "y", "e", "v", "u");
    const plain = fc.constantFrom("a", "b.c", "-", "1");
    const pattern = fc.constantFrom("*", "*.", ".*", "f*o", "?", "", "a", "*a*");
    const form = fc.oneof(
      plain,
      name.map((n) => `\${${n}}`),
      fc.tuple(name, fc.constantFrom(":-", "-", ":+", "+"), plain).map(([n, op, w]) => `\${${n}${op}${w}}`),
      fc.tuple(name, fc.constantFrom("#", "##", "%", "%%"), pattern).map(([n, op, p]) => `\${${n}${op}${p}}`),
    );
    const texts = fc.sample(
      fc.array(form, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("")),
      { numRuns: 300, seed: 1 },
    );
    const script = texts.map((text) => `printf '%s\\n' "${text}"`).join("\n");
    const shell = spawnSync("sh", ["-c", script], { env: values, encoding: "utf8" });
    assert.equal(shell.status, 0, shell.stderr);
    assert.deepEqual(texts.map(value), shell.stdout.split("\n").slice(0, -1));
  });
});
