import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LayerScan } from "../../core/layer.ts";
import { ScanCache } from "../../oci/cache.ts";
import { digestOf } from "../../oci/digest.ts";
import { scanLayer } from "../../oci/layers.ts";
import { pieces, tarOf } from "./tars.ts";

describe("ScanCache", () => {
  const digest = digestOf("a layer");
  let folder = "";
  let scan: LayerScan;
  before(async () => {
    scan = await scanLayer(pieces(await tarOf(["etc/ü", "x"], ["b", "", { type: "symlink", linkname: "etc" }])));
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson cache "));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("gives back what was written, and nothing else", async () => {
    const cache = new ScanCache(join(folder, "made"));
    assert.equal(await cache.read(digest), undefined);
    await cache.write(digest, scan);
    assert.deepEqual(await cache.read(digest), scan);
    assert.equal(await cache.read(digestOf("another")), undefined);
    assert.equal((await readdir(join(folder, "made"))).length, 1);
  });

  it("takes every damage for missing", async () => {
    const cache = new ScanCache(folder);
    await cache.write(digest, scan);
    const file = join(folder, (await readdir(folder))[0] ?? "");
    const good = await readFile(file);
    for (let at = 0; at < good.length; at += 7) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 0x55;
      await writeFile(file, bad);
      const found = await cache.read(digest);
      // A flipped bit in a frame's header may say nothing: what is read must be right all the same.
      if (found !== undefined) assert.deepEqual(found, scan);
    }
    for (const cut of [0, 1, good.length - 1]) {
      await writeFile(file, good.subarray(0, cut));
      assert.equal(await cache.read(digest), undefined);
    }
  });

  it("does without a folder that can't be written", async () => {
    await writeFile(join(folder, "file"), "");
    const cache = new ScanCache(join(folder, "file", "below"));
    await cache.write(digest, scan);
    assert.equal(await cache.read(digest), undefined);
  });
});
