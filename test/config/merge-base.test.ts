import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { mergeBase } from "../../config/merge-base.ts";

describe("mergeBase", () => {
  let folder: string;
  let upstream: string;
  let clone: string;
  const git = (root: string, ...args: string[]) =>
    execFileSync("git", ["-C", root, "-c", "user.name=t", "-c", "user.email=t@example.invalid", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  const commit = (root: string, text: string) => {
    writeFileSync(join(root, "file"), text);
    git(root, "add", ".");
    git(root, "commit", "--quiet", "-m", text);
    return git(root, "rev-parse", "HEAD");
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson merge base "));
    upstream = join(folder, "upstream");
    clone = join(folder, "clone");
    execFileSync("git", ["init", "--quiet", "--initial-branch=trunk", upstream]);
    commit(upstream, "first");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const cloned = (...args: string[]) =>
    execFileSync("git", ["clone", "--quiet", ...args, pathToFileURL(upstream).href, clone]);

  it("is where the branch left what the remote calls its HEAD", async () => {
    const base = commit(upstream, "second");
    cloned();
    git(clone, "checkout", "--quiet", "-b", "feature");
    commit(clone, "mine");
    commit(upstream, "theirs");
    git(clone, "fetch", "--quiet");
    assert.deepEqual(await mergeBase(clone, {}), { commit: base, branch: "origin/trunk", head: false });
  });

  it("is the commit itself on the default branch", async () => {
    cloned();
    const commit = git(clone, "rev-parse", "HEAD");
    assert.deepEqual(await mergeBase(clone, {}), { commit, branch: "origin/trunk", head: true });
  });

  for (const variable of ["GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CI_DEFAULT_BRANCH"])
    it(`goes by the branch that ${variable} names, where the clone has it`, async () => {
      git(upstream, "checkout", "--quiet", "-b", "release");
      const base = commit(upstream, "released");
      git(upstream, "checkout", "--quiet", "trunk");
      cloned();
      git(clone, "checkout", "--quiet", "-b", "fix", "origin/release");
      commit(clone, "mine");
      assert.deepEqual(await mergeBase(clone, { [variable]: "release" }), {
        commit: base,
        branch: "origin/release",
        head: false,
      });
      assert.equal((await mergeBase(clone, { [variable]: "gone" }))?.branch, "origin/trunk");
      assert.equal((await mergeBase(clone, { [variable]: "" }))?.branch, "origin/trunk");
    });

  it("is asked of main where there is no remote", async () => {
    git(upstream, "branch", "--move", "main");
    const base = git(upstream, "rev-parse", "HEAD");
    git(upstream, "checkout", "--quiet", "-b", "feature");
    commit(upstream, "mine");
    assert.deepEqual(await mergeBase(upstream, {}), { commit: base, branch: "main", head: false });
  });

  it("is none without git, without a commit, without such a branch", async () => {
    assert.equal(await mergeBase(folder, {}), undefined);
    const empty = join(folder, "empty");
    execFileSync("git", ["init", "--quiet", empty]);
    assert.equal(await mergeBase(empty, {}), undefined);
    assert.equal(await mergeBase(upstream, {}), undefined, "trunk is no usual name");
  });

  it("says what a shallow clone has to fetch", async () => {
    git(upstream, "checkout", "--quiet", "-b", "feature");
    commit(upstream, "mine");
    git(upstream, "checkout", "--quiet", "trunk");
    commit(upstream, "theirs");
    cloned("--depth=1", "--no-single-branch");
    git(clone, "checkout", "--quiet", "feature");
    await assert.rejects(mergeBase(clone, {}), (error: Error & { fix?: string }) => {
      assert.match(error.message, /does not have the commit where this branch left origin\/trunk/);
      assert.match(error.fix ?? "", /--unshallow.*fetch-depth: 0/);
      return true;
    });
  });
});
