import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  chmod,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import zlib from "node:zlib";
import fc from "fast-check";
import tar from "tar-stream";
import { pack } from "../../src/archive/pack.ts";
import { ArchiveError, type UnpackOptions, unpack } from "../../src/archive/unpack.ts";
import { VolumeError } from "../../src/volume/volume.ts";
import { temporary } from "../support.ts";

const LIMITS = { bytes: 1e8, entries: 10_000 };

async function tree(root: string): Promise<string> {
  const dir = join(root, "tree");
  await mkdir(join(dir, "bin"), { recursive: true });
  await mkdir(join(dir, "lib/deep"), { recursive: true });
  await writeFile(join(dir, "bin/run"), "#!/bin/sh\necho hi\n");
  await chmod(join(dir, "bin/run"), 0o755);
  await writeFile(join(dir, "lib/deep/ünïcode and space"), randomBytes(100_000));
  await link(join(dir, "lib/deep/ünïcode and space"), join(dir, "lib/hard"));
  await symlink("deep", join(dir, "lib/soft"));
  await symlink(join(dir, "bin/run"), join(dir, "lib/absolute"));
  await writeFile(join(dir, ".installed"), "{}");
  await utimes(join(dir, "bin/run"), 1_700_000_000, 1_700_000_000);
  return dir;
}

async function unpacked(root: string, archive: Buffer | string, options: Partial<UnpackOptions> = {}): Promise<string> {
  const dir = join(root, `out-${randomBytes(4).toString("hex")}`);
  await mkdir(dir);
  const bytes = typeof archive === "string" ? await readFile(archive) : archive;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await unpack(Readable.from([bytes]), dir, { encoding: "zstd", sha256, ...LIMITS, ...options });
  return dir;
}

describe("pack and unpack", () => {
  it("bring back what was there: bytes, modes, times, links; absolute symlinks inside become relative", async function () {
    const root = await temporary(this);
    const packed = await pack(await tree(root), join(root, "a.tar.zst"), "zstd");
    assert.equal(packed.size, (await stat(join(root, "a.tar.zst"))).size);
    const out = await unpacked(root, join(root, "a.tar.zst"), { sha256: packed.sha256, size: packed.size });
    assert.equal((await stat(join(out, "bin/run"))).mode & 0o777, 0o755);
    assert.equal((await stat(join(out, "bin/run"))).mtimeMs, 1_700_000_000_000);
    assert.equal(await readlink(join(out, "lib/soft")), "deep");
    assert.equal(await readlink(join(out, "lib/absolute")), "../bin/run");
    assert.equal((await stat(join(out, "lib/hard"))).ino, (await stat(join(out, "lib/deep/ünïcode and space"))).ino);
    assert.ok(!(await readdir(out)).includes(".installed"));
  });

  it("give the same bytes for the same tree, wherever it was installed", async function () {
    const root = await temporary(this);
    const dir = await tree(root);
    const one = await pack(dir, join(root, "1"), "zstd");
    const two = await pack(dir, join(root, "2"), "zstd");
    assert.deepEqual(one, two);
    assert.equal((await pack(dir, join(root, "3"), "gzip")).unpacked, one.unpacked);
  });

  it("refuse a tree that could not come back", async function () {
    const root = await temporary(this);
    const dir = await tree(root);
    await symlink("/etc/passwd", join(dir, "out"));
    await assert.rejects(pack(dir, join(root, "a"), "zstd"), /can't be kept on the volume: the symlink "out"/);
  });

  it("refuse an archive with any byte changed or any end cut off", async function () {
    const root = await temporary(this);
    const packed = await pack(await tree(root), join(root, "a"), "zstd");
    const good = await readFile(join(root, "a"));
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: good.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, change, cut) => {
          const bad = cut ? good.subarray(0, at) : Buffer.from(good);
          if (!cut) bad[at] = (bad[at] as number) ^ change;
          await assert.rejects(unpacked(root, bad, { sha256: packed.sha256, size: packed.size }), ArchiveError);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("take what the disk or the archive's source says for what it is, whatever words are in it: no refusal", async function () {
    const root = await temporary(this);
    const packed = await pack(await tree(root), join(root, "a"), "zstd");
    const good = await readFile(join(root, "a"));
    const cut = new VolumeError("error", "s3://starter/: v1/archives/0.tar.zst ended after 9 of 10 bytes");
    const breaking = Readable.from(
      (async function* () {
        yield good.subarray(0, 100);
        throw cut;
      })(),
    );
    const options = { encoding: "zstd", ...packed, ...LIMITS } as const;
    await mkdir(join(root, "out"));
    await assert.rejects(unpack(breaking, join(root, "out"), options), (e) => e === cut);
    // A disk that can't take it, in a path with words of archives.
    await writeFile(join(root, "header.tar"), "");
    await assert.rejects(
      unpack(Readable.from([good]), join(root, "header.tar/out"), options),
      (e) => !(e instanceof ArchiveError) && (e as NodeJS.ErrnoException).code === "ENOTDIR",
    );
  });

  it("stop a bomb before it fills the disk: of one big file, of padding, of many files", async function () {
    const root = await temporary(this);
    const big = tar.pack();
    big.entry({ name: "big", size: 50e6 }).end(Buffer.alloc(50e6));
    big.finalize();
    const bomb = zlib.zstdCompressSync(await buffer(big));
    assert.ok(bomb.length < 20_000);
    await assert.rejects(unpacked(root, bomb, { bytes: 1e6 }), /more than 1000000 bytes/);

    const padding = zlib.zstdCompressSync(Buffer.alloc(100e6));
    await assert.rejects(unpacked(root, padding, { bytes: 1000, entries: 10 }), ArchiveError);

    const many = tar.pack();
    for (let i = 0; i < 500; i++) many.entry({ name: `f${i}`, type: "directory" });
    many.finalize();
    await assert.rejects(
      unpacked(root, zlib.zstdCompressSync(await buffer(many)), { entries: 100 }),
      /more than 100 entries/,
    );
  });

  it("write nothing outside, whatever an archive holds", async function () {
    this.timeout(30_000);
    const root = await temporary(this);
    const part = fc.constantFrom("a", "b", "..", "victim");
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((p) => p.join("/"));
    const any = fc.record({
      name: fc.oneof(
        path,
        path.map((p) => `/${p}`),
        fc.constant(join(root, "victim")),
      ),
      type: fc.constantFrom("file", "directory", "symlink", "link"),
      linkname: fc.oneof(path, fc.constant(join(root, "victim")), fc.constant("/etc")),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(any, { maxLength: 8 }), async (entries) => {
        const jail = join(root, "jail");
        await rm(jail, { recursive: true, force: true });
        await mkdir(join(jail, "inner/target"), { recursive: true });
        await writeFile(join(root, "victim"), "untouched");
        const archive = tar.pack();
        for (const e of entries) {
          if (e.type === "file") archive.entry({ name: e.name, type: "file" }, "evil");
          else if (e.type === "directory") archive.entry({ name: e.name, type: "directory" });
          else archive.entry({ name: e.name, type: e.type as "symlink" | "link", linkname: e.linkname });
        }
        archive.finalize();
        const bytes = await buffer(archive);
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        await unpack(Readable.from([bytes]), join(jail, "inner/target"), { encoding: "none", sha256, ...LIMITS }).catch(
          () => {},
        );
        assert.equal(await readFile(join(root, "victim"), "utf8"), "untouched");
        assert.deepEqual(await readdir(jail), ["inner"]);
        assert.deepEqual(await readdir(join(jail, "inner")), ["target"]);
        assert.ok(!(await readdir(root)).some((name) => name === "a" || name === "b"));
      }),
      { numRuns: 150 },
    );
  });

  it("refuse devices and fifos", async function () {
    const root = await temporary(this);
    for (const type of ["character-device", "block-device", "fifo"] as const) {
      const archive = tar.pack();
      archive.entry({ name: "dev", type, devmajor: 1, devminor: 3 });
      archive.finalize();
      await assert.rejects(unpacked(root, await buffer(archive), { encoding: "none" }), /no tool needs/);
      const out = (await readdir(root)).filter((n) => n.startsWith("out-"));
      for (const dir of out) assert.deepEqual(await readdir(join(root, dir)), []);
    }
    assert.ok((await lstat(root)).isDirectory());
  });

  it("read archives of other programs: gzip, plain, stripped", async function () {
    const root = await temporary(this);
    const archive = tar.pack();
    archive.entry({ name: "top/", type: "directory" });
    archive.entry({ name: "top/bin/x", mode: 0o755 }, "x");
    archive.finalize();
    const plain = await buffer(archive);
    const out = await unpacked(root, zlib.gzipSync(plain), { encoding: "gzip", strip: 1 });
    assert.equal(await readFile(join(out, "bin/x"), "utf8"), "x");
  });
});
