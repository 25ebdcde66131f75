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
});
