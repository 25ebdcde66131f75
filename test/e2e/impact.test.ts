import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { cloneCheckout } from "./registry.ts";

/** Needs nothing but git. */
describe("keelson impact in a clone that never brought its stack up", function () {
  this.timeout(120_000);
  let temporary: TemporaryHome;
  let clone: string;
  let base: string;

  before(async () => {
    temporary = await temporaryHome();
    clone = await cloneCheckout(join(temporary.folder, "clone of ü"));
    await git("checkout", "--quiet", "-B", "main");
    await git("remote", "remove", "origin"); // whatever branch this test's own checkout is on
    base = (await git("rev-parse", "HEAD")).stdout;
    await git("checkout", "--quiet", "-b", "feature");
    appendFileSync(join(clone, "images/worker-minimal/Dockerfile"), "# changed\n");
    await git("commit", "--quiet", "--all", "--message", "change");
  });
  after(() => temporary.remove());

  const git = (...args: string[]) =>
    execa("git", ["-c", "user.name=t", "-c", "user.email=t@example.invalid", ...args], { cwd: clone });
  const impact = (...args: string[]) =>
    execa(process.execPath, ["cli/main.ts", "impact", ...args], {
      cwd: clone,
      reject: false,
      env: { GITHUB_BASE_REF: "", CI_MERGE_REQUEST_TARGET_BRANCH_NAME: "", CI_DEFAULT_BRANCH: "" },
    });

  it("compares with where the branch left the default one, and says so", async () => {
    const { exitCode, stdout, stderr } = await impact();
    assert.equal(exitCode, 0, stderr);
    assert.match(
      stdout,
      new RegExp(`^compared with ${base.slice(0, 12)}, where this branch left main, since this checkout`),
    );
    assert.match(stdout, /^ {2}worker-minimal/m);
    assert.match(stdout, /images\/worker-minimal\/Dockerfile changed/);
    assert.doesNotMatch(stdout, /^ {2}worker-ultramin/m);
  });

  it("says so in Markdown and JSON too", async () => {
    assert.match((await impact("--markdown")).stdout, /^Compared with [0-9a-f]{12}, where this branch left main/);
    const found = JSON.parse((await impact("--json")).stdout);
    assert.match(found.since, /where this branch left main/);
    assert.equal(found.images.length, 1);
  });

  it("tells what a commit of the default branch itself can be compared with", async () => {
    await git("checkout", "--quiet", "main");
    const { stdout } = await impact();
    assert.match(stdout, /^compared with the commit that is checked out, which main has \(--since HEAD\^ shows/);
    assert.match(stdout, /no image rebuilds/);
  });

  it("says what to do where there is no such branch", async () => {
    await git("branch", "--move", "main", "somewhere");
    const { exitCode, stderr } = await impact();
    assert.equal(exitCode, 1);
    assert.match(stderr, /^error: this checkout has not brought stack dev up yet, and has no default branch/);
    assert.match(stderr, /--since REVISION/);
  });
});
