import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { writeLayer } from "../../toolchain/layer.ts";

const EPOCH = 1_700_000_000;

/** A tree written in the given order of names. */
function tree(root: string, names: readonly string[]): void {
  mkdirSync(join(root, "etc"), { recursive: true, mode: 0o755 });
  for (const name of names) writeFileSync(join(root, "etc", name), `${name}\n`);
  for (const name of names) chmodSync(join(root, "etc", name), 0o640);
  chmodSync(join(root, "etc"), 0o755);
  linkSync(join(root, "etc", "b"), join(root, "etc", "hard"));
  symlinkSync("../etc/a", join(root, "etc", "soft"));
  utimesSync(join(root, "etc", "a"), 1000, 1000);
}

async function headers(file: string): Promise<Header[]> {
  const found: Header[] = [];
  const reader = extract();
  reader.on("entry", (header, stream, next) => {
    found.push(header);
    stream.resume().on("end", next);
  });
  reader.end(gunzipSync(readFileSync(file)));
  await new Promise<void>((done) => reader.on("finish", () => done()));
  return found;
}

describe("writeLayer", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson layer "));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("gives the same bytes for the same content, in whatever order and when it was written", async () => {
    tree(join(folder, "one"), ["a", "b", "c"]);
    tree(join(folder, "two"), ["c", "b", "a"]);
    utimesSync(join(folder, "two", "etc", "c"), EPOCH + 999, EPOCH + 999);
    const one = await writeLayer(join(folder, "one"), join(folder, "one.tar.gz"), EPOCH);
    assert.deepEqual(await writeLayer(join(folder, "two"), join(folder, "two.tar.gz"), EPOCH), one);
    assert.deepEqual(readFileSync(join(folder, "one.tar.gz")), readFileSync(join(folder, "two.tar.gz")));
  });

  it("says what it wrote", async () => {
    tree(join(folder, "one"), ["a", "b"]);
    const file = join(folder, "one.tar.gz");
    const layer = await writeLayer(join(folder, "one"), file, EPOCH);
    const bytes = readFileSync(file);
    const sha256 = (data: Uint8Array) => `sha256:${createHash("sha256").update(data).digest("hex")}`;
    const tar = gunzipSync(bytes);
    assert.deepEqual(layer, { digest: sha256(bytes), diffId: sha256(tar), size: bytes.length, unpacked: tar.length });
  });

  it("holds files, directories, links, modes and times not after the epoch", async () => {
    tree(join(folder, "one"), ["a", "b"]);
    await writeLayer(join(folder, "one"), join(folder, "l"), EPOCH);
    const shown = (await headers(join(folder, "l"))).map((h) => [h.name, h.type, h.linkname, h.mtime?.getTime()]);
    assert.deepEqual(shown, [
      ["etc/", "directory", null, EPOCH * 1000],
      ["etc/a", "file", null, 1_000_000],
      ["etc/b", "file", null, EPOCH * 1000],
      ["etc/hard", "link", "etc/b", EPOCH * 1000],
      ["etc/soft", "symlink", "../etc/a", EPOCH * 1000],
    ]);
    assert.deepEqual((await headers(join(folder, "l"))).map((h) => h.mode).slice(0, 3), [0o755, 0o640, 0o640]);
  });
});
