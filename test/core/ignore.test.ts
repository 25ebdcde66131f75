import assert from "node:assert/strict";
import { IgnorePatternError, type IgnoreResult, ignoreMatcher } from "../../core/ignore.ts";

function ignored(text: string, path: string): boolean {
  const matcher = ignoreMatcher(text);
  const parts = path.split("/");
  let result: IgnoreResult | undefined;
  for (let i = 1; i <= parts.length; i++) result = matcher.match(parts.slice(0, i).join("/"), result);
  return result?.ignored ?? false;
}

// Each line was checked against moby's patternmatcher 0.6.1.
const TABLE: readonly [ignore: string, path: string, ignored: boolean][] = [
  ["", "a", false],
  ["# a\n", "# a", false],
  ["a", "a", true],
  ["a", "b/a", false],
  ["a", "a/b/c", true],
  ["/a/", "a", true],
  ["./a//b/../c", "a/c", true],
  ["\uFEFFa\r\nb\r\n", "b", true],
  ["*\n!src", "src/main.rs", false],
  ["*\n!src", "lib/main.rs", true],
  ["a\n!a/b\n", "a/b/c", false],
  ["a\n!a/b\n", "a/c", true],
  ["a/b\n!a\n", "a/b", true],
  ["*.log", "a.log", true],
  ["*.log", "d/a.log", false],
  ["**/*.log", "d/e/a.log", true],
  ["**/*.log", "a.log", true],
  ["**/foo", "foo", true],
  ["**foo", "xfoo", true],
  ["**foo*", "xfoo", false],
  ["foo**", "foobar", true],
  ["a/**/z", "a/z", true],
  ["a/**/z", "a/b/c/z", true],
  ["**", "a/b", true],
  ["file?", "file1", true],
  ["file?", "file/", false],
  ["😀?", "😀ä", true],
  ["[ab]", "b", true],
  ["[^ab]", "b", false],
  ["\\*", "*", true],
  ["\\*", "a", false],
  ["a^b*", "a^b", false],
  ["a.b*", "aXb", false],
];

describe("ignoreMatcher", () => {
  for (const [text, path, expected] of TABLE) {
    it(`${JSON.stringify(text)} ${expected ? "takes" : "leaves"} ${path}`, () => {
      assert.equal(ignored(text, path), expected);
    });
  }

  it("refuses patterns that builders refuse or read in ways nobody intends", () => {
    for (const text of ["!", "[", "a[", "[z-a]", "a\\", "\\d", "[a-]", "[[:alpha:]]", "[*]"])
      assert.throws(() => ignoreMatcher(text), IgnorePatternError, text);
  });

  it("knows below which ignored directories nothing comes back", () => {
    const matcher = ignoreMatcher("node_modules\nbuild\n!build/keep/*\n");
    assert.equal(matcher.mayBringBack("node_modules"), false);
    assert.equal(matcher.mayBringBack("build"), true);
    assert.equal(matcher.mayBringBack("build/other"), false);
    assert.equal(ignoreMatcher("a\n!**/b\n").mayBringBack("a"), true);
  });
});
