import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gitRevision, sourceRevision } from "../../config/revision.ts";
import { imageTags } from "../../core/tags.ts";

describe("revision", () => {
  let root: string;
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", root, "-c", "user.name=test", "-c", "user.email=test@example.invalid", ...args]);
  const write = (path: string, text: string) => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const release = async () => (await gitRevision(root))?.release;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "keelson revision "));
    git("init", "--quiet");
    write("images/worker/Dockerfile", "FROM scratch\n");
    write(".gitignore", "*.log\n");
    git("add", ".");
    git("commit", "--quiet", "-m", "first");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it("is clean right after the commit", async () => assert.equal((await gitRevision(root))?.dirty, false));

  it("is dirty with a changed tracked file", async () => {
    write("images/worker/Dockerfile", "FROM debian\n");
    assert.equal((await gitRevision(root))?.dirty, true);
  });

  it("is dirty with an untracked file that a build may see", async () => {
    write("images/worker/ü new.txt", "new");
    assert.equal((await gitRevision(root))?.dirty, true);
  });

  it("is dirty with an untracked file in another folder that is read as a context", async () => {
    write("runtime/new.c", "new");
    assert.equal((await gitRevision(root))?.dirty, false);
    assert.equal((await gitRevision(root, ["images", "runtime"]))?.dirty, true);
  });

  it("is clean with notes beside the sources, and with ignored files", async () => {
    write("notes.txt", "mine");
    write("images/worker/build.log", "noise");
    assert.equal((await gitRevision(root))?.dirty, false);
  });

  const releases: [string[], string | undefined][] = [
    [["v1.9.0", "v1.10.0"], "1.10.0"],
    [["v1.2.3", "v1.2.3-rc.1"], "1.2.3"],
    [["v1.2.3-rc.2", "v1.2.3-rc.10"], "1.2.3-rc.10"],
    [["v1.2.3.4"], undefined],
    [["v1.2.3.4", "v1.2.3"], "1.2.3"],
    [["v1.2.x", "vx.y.z"], undefined],
    [[], undefined],
  ];
  for (const [tags, expected] of releases) {
    it(`release of ${tags.join(", ") || "no tag"}: ${expected}`, async () => {
      for (const tag of tags) git("tag", tag);
      assert.equal(await release(), expected);
      assert.ok(imageTags({ family: "worker" }, await gitRevision(root)).length > 0);
    });
  }

  describe("of a stack's sources", () => {
    let project: string;
    beforeEach(() => {
      project = mkdtempSync(join(tmpdir(), "keelson project "));
      execFileSync("git", ["-C", project, "init", "--quiet"]);
    });
    afterEach(() => rmSync(project, { recursive: true, force: true }));
    const revision = (folder = root) => sourceRevision(folder, project);

    it("is the release that a clean checkout stands on", async () => {
      assert.deepEqual(await revision(), {});
      git("tag", "v1.4.0");
      assert.deepEqual(await revision(), { release: "1.4.0" });
      assert.deepEqual(await revision(join(root, "images/worker")), { release: "1.4.0" });
      git("tag", "v1.5.0-rc.1");
      assert.deepEqual(await revision(), { release: "1.5.0-rc.1" });
    });

    it("is none of a checkout that differs from the tag, or has gone on", async () => {
      git("tag", "v1.4.0");
      write("new.rs", "new");
      assert.deepEqual(await revision(), {});
      git("add", ".");
      git("commit", "--quiet", "-m", "second");
      assert.deepEqual(await revision(), {});
      git("checkout", "--quiet", "v1.4.0");
      assert.deepEqual(await revision(), { release: "1.4.0" });
      write("images/worker/Dockerfile", "FROM debian\n");
      assert.deepEqual(await revision(), {});
    });

    it("is the project's where they are in its repository, and unknown without any", async () => {
      git("tag", "v1.4.0");
      assert.equal(await sourceRevision(join(root, "images"), root), undefined);
      rmSync(join(root, ".git"), { recursive: true });
      assert.equal(await revision(), undefined);
    });
  });

  it("is unknown outside git", async () => {
    rmSync(join(root, ".git"), { recursive: true });
    assert.equal(await gitRevision(root), undefined);
  });
});
