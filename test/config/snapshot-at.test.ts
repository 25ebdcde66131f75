import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { snapshotAt } from "../../config/snapshot-at.ts";
import { UserError } from "../../core/error.ts";

describe("snapshotAt", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson since "));
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", root, "-c", "user.name=t", "-c", "user.email=t@example.invalid", ...args]);
    execFileSync("git", ["init", "--quiet", root]);
    writeFileSync(join(root, "file"), "text");
    git("add", ".");
    git("commit", "--quiet", "-m", "first");
  });
  afterEach(() => rmSync(root, { recursive: true }));

  for (const revision of ["--output=canary", "--remote=canary", "-l", "nope", "", "HEAD:file"])
    it(`takes ${JSON.stringify(revision)} for the name of a commit, and nothing else`, async () => {
      const before = readdirSync(root);
      const around = { host: "linux/amd64" as const, revision: undefined };
      await assert.rejects(snapshotAt(root, revision, "dev", around), (error) => {
        assert.ok(error instanceof UserError, String(error));
        assert.match(error.message, /git can't give the tree of/);
        return true;
      });
      assert.deepEqual(readdirSync(root), before);
    });
});
