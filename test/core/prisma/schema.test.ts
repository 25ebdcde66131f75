import assert from "node:assert/strict";
import fc from "fast-check";
import { entryOf, parsePrisma, textOf, textsOf } from "../../../core/prisma/schema.ts";

const read = (text: string) => parsePrisma(text, "schema.prisma");
const targets = (text: string) => {
  const [generator] = read(text).blocks;
  assert.ok(generator);
  return textsOf(entryOf(generator, "binaryTargets")?.value);
};

describe("a Prisma schema", () => {
  it("is read with its comments, lists, variables and blocks that are not looked into", () => {
    const { blocks, problem } = read(`// what { it } is
/* generator no { } */
datasource db {
  provider = "postgresql" // "a comment"
  url      = env("DATABASE_URL")
}

generator client {
  provider        = "prisma-client-js"
  previewFeatures = ["driverAdapters", /* and */ "views",]
  binaryTargets   = [
    "native", // here
    "linux-musl-openssl-3.0.x",
  ]
}

/// A { b
model A {
  id   Int    @id @default(autoincrement()) // }
  data Json   @default("{\\"a\\": 1}")
  name String @db.VarChar(10)
  @@map("}")
}
enum Role { USER ADMIN }
view V { id Int @unique }
type Address { street String }
`);
    assert.equal(problem, undefined);
    assert.deepEqual(
      blocks.map(({ kind, name, line }) => [kind, name, line]),
      [
        ["datasource", "db", 3],
        ["generator", "client", 8],
      ],
    );
    const [db, client] = blocks;
    assert.ok(db && client);
    assert.equal(textOf(db, "provider"), "postgresql");
    assert.deepEqual(entryOf(db, "url")?.value.kind, "env");
    assert.deepEqual(textsOf(entryOf(client, "previewFeatures")?.value), ["driverAdapters", "views"]);
    assert.deepEqual(textsOf(entryOf(client, "binaryTargets")?.value), ["native", "linux-musl-openssl-3.0.x"]);
    assert.equal(entryOf(client, "binaryTargets")?.line, 11);
  });

  it("takes one text for a list of one, and a file of one line", () => {
    assert.deepEqual(targets('generator c { binaryTargets = "native" }'), ["native"]);
    assert.deepEqual(targets('\uFEFFgenerator c {\r\n  binaryTargets = ["a", "b"]\r\n}'), ["a", "b"]);
  });

  for (const [what, text, line, message] of [
    ["a block that is not closed", "model A {\n  id Int\n\nmodel B {\n}\n", 1, /model A has no closing "}"/],
    ["a generator that is not closed", "\ngenerator c {\n  a = 1\n", 2, /generator c has no closing "}"/],
    ["a text that is not closed", 'generator c {\n  provider = "prisma-client-js\n}', 2, /no closing quote/],
    ["a list that is not closed", 'generator c {\n  t = ["a"\n}\n', 3, /expected "," or "]" in the list of t/],
    ["a word that begins no block", "generater c {\n}\n", 1, /expected model, enum.*found "generater"/],
    ["what is no schema at all", "{}\n", 1, /expected model.*found "{}"/],
    ["a block without a name", "generator {\n}\n", 1, /expected the name of the generator/],
    ["an entry without a value", "generator c {\n  provider =\n}\n", 2, /expected a value of provider/],
    ["an entry without =", 'generator c {\n  provider "x"\n}\n', 2, /expected "=" after provider/],
    ["two entries on one line", 'generator c {\n  a = "x" b = "y"\n}\n', 2, /expected the end of the line/],
    ["an entry twice", 'generator c {\n  a = "x"\n  a = "y"\n}\n', 3, /has "a" twice/],
    ["another function than env", 'datasource d {\n  url = secret("X")\n}\n', 2, /expected env\("NAME"\)/],
    ["a comment that is not closed", "/* generator\n", 1, /a comment has no closing/],
    ["a merge's marks", "<<<<<<< HEAD\nmodel A { id Int }\n", 1, /found "<<<<<<<"/],
  ] as const)
    it(`tells of ${what}, with its line`, () => {
      const { problem, blocks } = read(text);
      assert.match(problem?.message ?? "", message);
      assert.equal(problem?.line, line);
      assert.deepEqual(blocks, []);
    });

  it("never throws and never hangs, whatever the bytes are", () => {
    const pieces = [
      "generator",
      "model",
      " c ",
      "{",
      "}",
      "[",
      "]",
      '"',
      "=",
      ",",
      "\n",
      "//",
      "/*",
      "*/",
      "env(",
      ")",
      "\\",
      "é",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces)), (words) => {
        const { problem } = read(words.join(""));
        assert.ok(problem === undefined || problem.line <= words.join("").split("\n").length);
      }),
      { numRuns: 1000 },
    );
  });
});
