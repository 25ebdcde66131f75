import assert from "node:assert/strict";
import fc from "fast-check";
import { readShell } from "../../../core/adopt/shell/read.ts";

const commands = (text: string, options: { folder?: string; cwd?: string } = {}) =>
  readShell({ text, folder: options.folder ?? "", ...(options.cwd === undefined ? {} : { cwd: options.cwd }) });
const words = (text: string) => commands(text).map((command) => command.words.join(" "));

describe("readShell", () => {
  it("splits words, quotes, continued lines and comments as a shell does", () => {
    const table: [string, string[]][] = [
      ["a 'b c' \"d e\" f\\ g", ["a b c d e f g"]],
      ["a \\\n  b # no\nc", ["a b", "c"]],
      ["a; b && c || d | e & f", ["a", "b", "c", "d", "e", "f"]],
      ["a > out 2>&1 < in >> log b", ["a b"]],
      ["cat <<EOF\nno command\nEOF\nb", ["cat", "b"]],
      ["cat <<-'X' | b\n\tno\n\tX\nc", ["cat", "b", "c"]],
      ["a <(b c) d", ["a d"]],
      ["(( x = 1 )); a $(( 1 + 2 ))", ["a *"]],
      ["if a; then b; else c; fi", ["a", "b", "c"]],
      ["X=1 a b", ["a b"]],
    ];
    for (const [text, expected] of table) assert.deepEqual(words(text), expected, text);
  });

  it("puts variables in: defaults, branches, arrays, what is not known", () => {
    const table: [string, string[]][] = [
      ["T=1; a:$T ${T}x '$T'", ["a:1 1x $T"]],
      ["a ${T:-x} ${T-y} ${T:+z} $T", ["a x y *"]],
      ["T=a.b.c; e ${T%.*} ${T##*.} ${T^^} ${T//./-}", ["e a.b c A.B.C a-b-c"]],
      ["T=x; if q; then T=y; fi; a $T", ["q", "a x", "a y"]],
      ['[ -z "$T" ] && T=y; a $T', ["[ -z * ]", "a y"]],
      ["A=(1 '2 3'); A+=(4); a \"${A[@]}\"", ["a 1 2 3 4"]],
      ["A='-t x'; a $A \"$A\"", ["a -t x -t x"]],
      ["X=$(date); a $X `id`", ["date", "id", "a * *"]],
      ["N=$(basename services/api/); a $N", ["basename services/api/", "a api"]],
      ['a $1 "$@"', ["a * *"]],
    ];
    for (const [text, expected] of table) assert.deepEqual(words(text), expected, text);
  });

  it("unrolls loops over known words and follows the script's own functions", () => {
    assert.deepEqual(words('for i in a b "c d"; do x $i; done; y'), ["x a", "x b", "x c d", "y"]);
    assert.deepEqual(words("for i in a b; do for j in 1 2; do x $i$j; done; done"), ["x a1", "x a2", "x b1", "x b2"]);
    assert.deepEqual(words('f() { local n=$1; shift; x $n "$@"; }\nf a b c\nf d'), ["x a b c", "x d"]);
    assert.deepEqual(words("lib() { y $1; }"), ["y *"]);
    assert.deepEqual(words("f() { f; x; }\nf").at(-1), "x");
  });

  it("knows where a command runs", () => {
    const where = (text: string) => commands(text, { folder: "ci/scripts" }).at(-1);
    const table: [string, string | undefined, boolean][] = [
      ["a", undefined, false],
      ['cd "$(dirname "$0")/.."; a', "ci", false],
      ['R="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"; cd $R/x; a', "x", false],
      ["cd $(git rev-parse --show-toplevel)/y && a", "y", false],
      ["cd sub; a", undefined, true],
      ['cd "$UNKNOWN"; a', undefined, true],
      ["(cd sub && b); a", undefined, false],
    ];
    for (const [text, cwd, lost] of table) assert.deepEqual([where(text)?.cwd, where(text)?.lost], [cwd, lost], text);
    assert.equal(commands("cd ../x; a", { cwd: "p/q" }).at(-1)?.cwd, "p/x");
  });

  it("gives each command the line it begins in", () => {
    const lines = commands("\na \\\n b\ncat <<E\nx\nE\n'c\nd' e\nf").map(({ line }) => line);
    assert.deepEqual(lines, [2, 4, 7, 9]);
  });

  it("never throws and stays bounded on any text", () => {
    const bits = fc.constantFrom(
      ..."a|$x|${|}|$(|)|(|`|'|\"|\\|\n|;|&&||||<<E|\nE\n|for i in a b; do |done|if |fi|case x in |esac|f() {|} |x=(|=|#|<(|>|cd |$((|${a:-|$@|eval ".split(
        "|",
      ),
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(bits, { maxLength: 40 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (source) => {
        const last = source.split("\n").length;
        const found = commands(source);
        assert.ok(found.length <= 2000);
        for (const { line } of found) assert.ok(line >= 1 && line <= last);
      }),
      { numRuns: 500 },
    );
  });
});
