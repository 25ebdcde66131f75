import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { UserError } from "../../core/error.ts";
import { contextHash } from "../../core/hash.ts";
import { readContext, readSource } from "../../toolchain/context.ts";

describe("readContext", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "keelson context "));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  function write(path: string, text = path, mode = 0o644): void {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
    chmodSync(join(dir, path), mode);
  }

  async function paths(dockerfile?: string): Promise<string[]> {
    const entries = await readContext(dir, dockerfile);
    return entries.map((e) => (e.kind === "directory" ? `${e.path}/` : e.path));
  }

  it("gives files, links and directories, sorted by path", async () => {
    write("b.txt", "hello\n");
    write("a/run.sh", "", 0o755);
    mkdirSync(join(dir, "empty"));
    symlinkSync("../nowhere", join(dir, "a/link"));
    assert.deepEqual(await readContext(dir), [
      { kind: "directory", path: "a" },
      { kind: "symlink", path: "a/link", target: "../nowhere" },
      {
        kind: "file",
        path: "a/run.sh",
        executable: true,
        size: 0,
        sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      },
      {
        kind: "file",
        path: "b.txt",
        executable: false,
        size: 6,
        sha256: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
      },
      { kind: "directory", path: "empty" },
    ]);
  });

  it("leaves out what the ignore file takes away, and keeps the directories of what comes back", async () => {
    for (const path of ["a/x", "a/b/keep", "c/x", "top"]) write(path);
    write(".dockerignore", "a\nc\n!a/b/keep\n.dockerignore\n");
    assert.deepEqual(await paths(), ["a/", "a/b/", "a/b/keep", "top"]);
  });

  it("prefers the Dockerfile's own ignore file", async () => {
    for (const path of ["x", "y"]) write(path);
    write(".dockerignore", "x\n");
    write("dev.Dockerfile.dockerignore", "y\n*ocker*\n");
    assert.deepEqual(await paths(join(dir, "dev.Dockerfile")), ["x"]);
    assert.deepEqual(await paths(join(dir, "Dockerfile")), [".dockerignore", "dev.Dockerfile.dockerignore", "y"]);
  });

  it("of a Cargo workspace has neither git's folder nor target, whatever its ignore file brings back", async () => {
    for (const path of ["Cargo.toml", "target/debug/app", "crates/a/target/mod.rs", ".git/HEAD", "notes/x"])
      write(path);
    const found = async () => (await readSource(dir)).flatMap((e) => (e.kind === "file" ? [e.path] : []));
    assert.deepEqual(await found(), ["Cargo.toml", "crates/a/target/mod.rs", "notes/x"]);
    write(".dockerignore", "notes\n!target\n!.git");
    assert.deepEqual(await found(), [".dockerignore", "Cargo.toml", "crates/a/target/mod.rs"]);
  });

  it("of a Python application has neither models nor data, but the modules of that name, unless its ignore file wants them", async () => {
    const kept = [
      "app/data/seed.json",
      "app/models/user.py",
      "models/__init__.py",
      "models/sub/user.py",
      "requirements.lock",
    ];
    for (const path of [...kept, "models/llama.gguf", "data/cache.db", "app/__pycache__/x.pyc"]) write(path);
    const found = async () => (await readSource(dir)).flatMap((e) => (e.kind === "file" ? [e.path] : []));
    assert.deepEqual(await found(), kept);
    write(".dockerignore", "!data\n");
    assert.deepEqual(await found(), [
      ".dockerignore",
      "app/data/seed.json",
      "app/models/user.py",
      "data/cache.db",
      ...kept.slice(2),
    ]);
    rmSync(join(dir, "requirements.lock"));
    assert.ok((await found()).includes("models/llama.gguf"), "a Next.js application's models are code");
  });

  it("does not follow links: a loop is a link like any other", async () => {
    symlinkSync(".", join(dir, "self"));
    symlinkSync("..", join(dir, "up"));
    assert.deepEqual(await paths(), ["self", "up"]);
  });

  it("hashes files larger than its buffer", async () => {
    const big = "0123456789abcdef".repeat(200_000);
    write("big", big);
    const [entry] = await readContext(dir);
    const sum = execFileSync("sha256sum", [join(dir, "big")], { encoding: "utf8" }).split(" ")[0];
    assert.deepEqual(entry, { kind: "file", path: "big", executable: false, size: big.length, sha256: sum });
  });

  it("knows nothing of mtime, umask bits and where the checkout stands", async () => {
    write("a", "1", 0o600);
    write("b/c", "2", 0o700);
    const before = contextHash(await readContext(dir));
    chmodSync(join(dir, "a"), 0o666);
    chmodSync(join(dir, "b/c"), 0o775);
    chmodSync(join(dir, "b"), 0o700);
    utimesSync(join(dir, "a"), 1, 1);
    assert.equal(contextHash(await readContext(dir)), before);
    chmodSync(join(dir, "a"), 0o755);
    assert.notEqual(contextHash(await readContext(dir)), before);
  });

  it("takes names in any script, with spaces, line breaks and the replacement character", async () => {
    const names = ["\uFFFD", "a b", "line\nbreak", "naïve", "日本", "😀", "*?[x]", "-rf"];
    for (const name of names) write(name);
    assert.deepEqual(await paths(), names.toSorted());
  });

  it("names everything that a builder can't take, at once", async () => {
    write("fine");
    execFileSync("mkfifo", [join(dir, "pipe")]);
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/latin-`), Buffer.from([0xe9])]), "");
    const server = createServer().listen(join(dir, "sock"));
    try {
      await assert.rejects(readContext(dir), (error: unknown) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, /latin-.: its name is not valid UTF-8/u);
        assert.match(error.message, /pipe: is a named pipe/);
        assert.match(error.message, /sock: is a socket/);
        return true;
      });
      write(".dockerignore", "pipe\nsock\nlatin-?\n");
      assert.deepEqual(await paths(), [".dockerignore", "fine"]);
    } finally {
      server.close();
    }
  });

  it("says which context is not there, and which pattern is wrong", async () => {
    await assert.rejects(readContext(join(dir, "no")), /no is not a directory/);
    write(".dockerignore", "a[\n");
    await assert.rejects(readContext(dir), /\.dockerignore: pattern "a\["/);
  });

  it("hashes equal trees equally and unequal ones unequally", async () => {
    const name = fc.stringMatching(/^[a-c]{1,2}$/);
    const tree = fc.dictionary(name, fc.tuple(fc.stringMatching(/^[xy]{0,2}$/), fc.boolean()), { maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(tree, tree, async (left, right) => {
        const hashes = [];
        for (const [i, files] of [left, right].entries()) {
          const root = mkdtempSync(join(dir, `${i}`));
          for (const [path, [text, executable]] of Object.entries(files))
            writeFileSync(join(root, path), text, { mode: executable ? 0o755 : 0o644 });
          hashes.push(contextHash(await readContext(root)));
        }
        const plain = (t: typeof left) => JSON.stringify(Object.entries(t).toSorted());
        assert.equal(hashes[0] === hashes[1], plain(left) === plain(right));
      }),
      { numRuns: 50 },
    );
  });
});
