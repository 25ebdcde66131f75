import assert from "node:assert/strict";
import fc from "fast-check";
import { binaryTargets } from "../../../core/prisma/check.ts";
import { addTargets } from "../../../core/prisma/fix.ts";
import { parsePrisma } from "../../../core/prisma/schema.ts";
import { TARGETS } from "../../../core/prisma/target.ts";

const MUSL = "linux-musl-openssl-3.0.x";
const add = (text: string, ...targets: string[]) => addTargets(parsePrisma(text, "schema.prisma"), "client", targets);
const targetsOf = (text: string) => {
  const [block] = parsePrisma(text, "schema.prisma").blocks;
  return block === undefined ? [] : binaryTargets(block);
};

describe("targets that are added to a schema", () => {
  for (const [what, before, after] of [
    [
      "keep native, which no line stood for, and stand where the block's = stand",
      'generator client {\n  provider      = "prisma-client-js" // ours\n  output        = "x"\n}\n',
      `generator client {\n  provider      = "prisma-client-js" // ours\n  binaryTargets = ["native", "${MUSL}"]\n  output        = "x"\n}\n`,
    ],
    [
      "go to the end of a list on one line, its comment kept",
      'generator client {\n\tbinaryTargets=["native"]   // all of them\n}',
      `generator client {\n\tbinaryTargets=["native", "${MUSL}"]   // all of them\n}`,
    ],
    [
      "go to a line of their own in a list of lines",
      'generator client {\n  binaryTargets = [\n    "native",\n    "darwin" // mine\n  ]\n}\n',
      `generator client {\n  binaryTargets = [\n    "native",\n    "darwin", // mine\n    "${MUSL}"\n  ]\n}\n`,
    ],
    [
      "keep a last comma",
      'generator client {\r\n  binaryTargets = [\r\n    "native", // here\r\n  ]\r\n}\r\n',
      `generator client {\r\n  binaryTargets = [\r\n    "native", // here\r\n    "${MUSL}",\r\n  ]\r\n}\r\n`,
    ],
    [
      "make a list of a single text",
      'generator client {\n  binaryTargets = "native"\n}\n',
      `generator client {\n  binaryTargets = ["native", "${MUSL}"]\n}\n`,
    ],
    [
      "fill an empty list",
      "generator client {\n  binaryTargets = []\n}\n",
      `generator client {\n  binaryTargets = ["native", "${MUSL}"]\n}\n`,
    ],
    [
      "open a block of one line",
      'generator client { provider = "prisma-client-js" }\n',
      `generator client { provider = "prisma-client-js"\n  binaryTargets = ["native", "${MUSL}"]\n}\n`,
    ],
  ] as const)
    it(what, () => {
      assert.equal(add(before, MUSL), after);
      assert.equal(parsePrisma(after, "s").problem, undefined);
    });

  it("are not added twice, nor where they come from a variable, nor to a generator that is not there", () => {
    const text = `generator client {\n  binaryTargets = ["${MUSL}"]\n}\n`;
    assert.equal(add(text, MUSL, MUSL), text);
    assert.equal(add('generator client {\n  binaryTargets = env("T")\n}\n', MUSL), undefined);
    assert.equal(add("generator other {\n}\n", MUSL), undefined);
  });

  it("change nothing else, whatever the schema looks like", () => {
    const names = fc.constantFrom(...TARGETS);
    const blank = fc.constantFrom("", " ", "\t", "  ");
    const end = fc.constantFrom("\n", "\r\n");
    const comment = fc.constantFrom("", ' // a comment, with "quotes" and [brackets]');
    const schema = fc
      .record({
        had: fc.uniqueArray(names, { maxLength: 4 }),
        lines: fc.boolean(),
        comma: fc.boolean(),
        blank,
        end,
        comment,
        written: fc.boolean(),
      })
      .map((g) => {
        const items = g.had.map((name) => JSON.stringify(name));
        const last = g.comma && items.length > 0 ? "," : "";
        const list = g.lines
          ? `[${g.end}${items.map((item, i) => `    ${item}${i < items.length - 1 ? "," : last}${g.comment}${g.end}`).join("")}  ]`
          : `[${items.join(`,${g.blank}`)}${last}]`;
        const entry = g.written ? `${g.blank}binaryTargets${g.blank}=${g.blank}${list}${g.comment}${g.end}` : "";
        return `// head${g.end}generator client {${g.end}  provider${g.blank}=${g.blank}"prisma-client-js"${g.comment}${g.end}${entry}}${g.end}${g.end}model A {${g.end}  id Int @id // }${g.end}}${g.end}`;
      });
    fc.assert(
      fc.property(schema, fc.uniqueArray(names, { minLength: 1, maxLength: 3 }), (before, targets) => {
        assert.equal(parsePrisma(before, "s").problem, undefined, before);
        const after = add(before, ...targets);
        assert.ok(after !== undefined, before);
        const had = targetsOf(before);
        const kept = had.length === 0 && !targets.every((t) => had.includes(t)) ? ["native"] : had;
        assert.deepEqual(targetsOf(after), [...new Set([...kept, ...targets])]);
        assert.equal(add(after, ...targets), after, "once is enough");
        // All that was there is there, in its order.
        let at = 0;
        for (const character of before) at = after.indexOf(character, at) + 1 || assert.fail(`${before}\n→\n${after}`);
        for (const line of before.split("\n").filter((l) => l.includes("//") && !l.includes("native")))
          assert.ok(after.includes(line.slice(line.indexOf("//"))), line);
        assert.equal(after.slice(after.indexOf("model A")), before.slice(before.indexOf("model A")));
        assert.equal(after.includes("\r\n"), before.includes("\r\n"));
      }),
      { numRuns: 500 },
    );
  });
});
