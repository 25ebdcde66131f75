import assert from "node:assert/strict";
import { definitionLines } from "../../core/definition-lines.ts";

describe("definitionLines", () => {
  it("finds the keys of a definition", () => {
    const text =
      'export default defineImage({\n  name: "web",\n  // base: "no"\n  base: "x",\n  budget: {\n    base: 1,\n  },\n});\n';
    assert.deepEqual(definitionLines(text, "web"), { name: 2, base: 4, budget: 5 });
  });

  it("finds those of one definition among several", () => {
    const text = '[\n  {\n    name: "a",\n    base: "x",\n  },\n  {\n    name: "b",\n    base: "y",\n  },\n]';
    assert.deepEqual(definitionLines(text, "a"), { name: 3, base: 4 });
    assert.deepEqual(definitionLines(text, "b"), { name: 7, base: 8 });
  });

  it("takes the first where the name is worked out", () => {
    assert.deepEqual(definitionLines("x.map((t) => ({\n  name: `a-${t}`,\n  base: t,\n}))", "a-cu121"), {
      name: 2,
      base: 3,
    });
  });
});
