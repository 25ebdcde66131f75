import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

describe("documentation", () => {
  for (const page of readdirSync(join(root, "docs")).filter((file) => file.endsWith(".md")))
    it(`docs/${page} names tests and pages that exist`, () => {
      const text = readFileSync(join(root, "docs", page), "utf8");
      const tests = [...text.matchAll(/`([\w./-]+\.test\.ts)`/g)].map((match) => match[1] ?? "");
      const pages = [...text.matchAll(/\]\(([\w-]+\.md)(?:#[\w-]+)?\)/g)].map((match) => `docs/${match[1]}`);
      for (const path of [...tests, ...pages]) assert.ok(existsSync(join(root, path)), `${path} does not exist`);
      assert.doesNotMatch(text, /^(?:<{7}|>{7}) /m, "a merge was not finished");
    });

  it("docs/gpu-risks.md answers 004's four risks and seven questions, each with tests that hold the answer", () => {
    const text = readFileSync(join(root, "docs/gpu-risks.md"), "utf8");
    const risks = [...text.matchAll(/^\| (R\d) \|.*$/gm)].map(([row, id]) => [id, row] as const);
    const questions = [...text.matchAll(/^(\d)\. \*\*.*(?:\n {3}.*)*/gm)].map(([answer, id]) => [id, answer] as const);
    assert.deepEqual(
      [...risks, ...questions].map(([id]) => id),
      ["R1", "R2", "R3", "R4", "1", "2", "3", "4", "5", "6", "7"],
    );
    for (const [id, answer] of [...risks, ...questions]) {
      const held = [...answer.matchAll(/`([\w./-]+\/)([\w*-]+)\.test\.ts`/g)];
      assert.ok(held.length > 0, `${id} names no test`);
      for (const [named, folder = "", file = ""] of held) {
        const there = readdirSync(join(root, folder)).filter((name) => name.endsWith(".test.ts"));
        assert.ok(file === "*" ? there.length > 0 : there.includes(`${file}.test.ts`), `${id}: no ${named}`);
      }
    }
  });
});
