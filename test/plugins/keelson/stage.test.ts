import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SOURCE_DATE_EPOCH } from "../../../core/epoch.ts";
import { UserError } from "../../../core/error.ts";
import { stageContext, stageDockerfile } from "../../../plugins/keelson/stage.ts";
import { readContext, readTree } from "../../../toolchain/context.ts";

describe("stageContext", () => {
  let dir: string;
  let source: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "keelson stage "));
    source = join(dir, "source");
    mkdirSync(join(source, "a/empty"), { recursive: true });
    writeFileSync(join(source, "a/run"), "#!/bin/sh\n", { mode: 0o700 });
    writeFileSync(join(source, "plain name"), "x", { mode: 0o600 });
    symlinkSync("../nowhere", join(source, "a/link"));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  /** Mode and time of every entry, as a builder would be told of them. */
  async function facts(root: string): Promise<string[]> {
    const entries = await readTree(root);
    return entries.map(({ path }) => {
      const stat = lstatSync(join(root, path));
      const mode = stat.isSymbolicLink() ? "link" : (stat.mode & 0o7777).toString(8);
      return `${path} ${mode} ${stat.mtimeMs / 1000}`;
    });
  }

  it("gives every checkout of the same content the same bytes, modes and times", async () => {
    const before = process.umask(0o077);
    try {
      await stageContext(source, await readContext(source), join(dir, "one"));
    } finally {
      process.umask(before);
    }
    chmodSync(join(source, "plain name"), 0o666);
    chmodSync(join(source, "a/run"), 0o775);
    utimesSync(join(source, "plain name"), 12, 12);
    await stageContext(source, await readContext(source), join(dir, "two"));
    assert.deepEqual(await facts(join(dir, "one")), [
      `a 755 ${SOURCE_DATE_EPOCH}`,
      `a/empty 755 ${SOURCE_DATE_EPOCH}`,
      `a/link link ${SOURCE_DATE_EPOCH}`,
      `a/run 755 ${SOURCE_DATE_EPOCH}`,
      `plain name 644 ${SOURCE_DATE_EPOCH}`,
    ]);
    assert.deepEqual(await facts(join(dir, "two")), await facts(join(dir, "one")));
    assert.deepEqual(await readTree(join(dir, "two")), await readTree(join(dir, "one")));
    assert.equal(readlinkSync(join(dir, "two/a/link")), "../nowhere");
  });

  it("refuses a context that changed after it was hashed", async () => {
    const entries = await readContext(source);
    writeFileSync(join(source, "plain name"), "y");
    await assert.rejects(stageContext(source, entries, join(dir, "changed")), UserError);
    rmSync(join(source, "plain name"));
    await assert.rejects(stageContext(source, entries, join(dir, "gone")), /changed while they were read/);
  });

  it("puts a Dockerfile where no ignore file can take anything from its context", () => {
    const file = stageDockerfile("FROM scratch\n", join(dir, "dockerfile"));
    assert.equal(readFileSync(file, "utf8"), "FROM scratch\n");
    assert.match(readFileSync(`${file}.dockerignore`, "utf8"), /^#.*\n$/);
  });
});
