import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeFileAtomic, writeFileChanged } from "../../toolchain/files.ts";

describe("writing files", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-files-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("replaces a file as a whole, with the mode that was asked for whatever the umask is", async () => {
    const file = join(folder, "state.json");
    const umask = process.umask(0o077);
    try {
      await writeFileAtomic(file, "old", 0o600);
      await writeFileAtomic(file, "new", 0o755);
    } finally {
      process.umask(umask);
    }
    assert.equal(await readFile(file, "utf8"), "new");
    assert.equal((await stat(file)).mode & 0o777, 0o755);
    assert.deepEqual(await readdir(folder), ["state.json"]);
  });

  it("leaves nothing behind when it can't write", async () => {
    await assert.rejects(writeFileAtomic(join(folder, "no", "such"), "text"));
    assert.deepEqual(await readdir(folder), []);
  });

  it("does not touch a file that has the bytes already", async () => {
    const file = join(folder, "config");
    assert.equal(await writeFileChanged(file, "text"), true);
    const before = await stat(file);
    assert.equal(await writeFileChanged(file, "text"), false);
    assert.equal((await stat(file)).ino, before.ino);
  });
});
