import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { compareImages } from "../../oci/compare.ts";
import { digestOf } from "../../oci/digest.ts";
import { imageInLayout } from "../../oci/image-source.ts";
import { MEDIA } from "../../oci/schemas.ts";
import { type Entry, tarOf } from "./tars.ts";

interface Made {
  readonly layers: readonly (readonly Entry[])[];
  readonly env?: readonly string[];
  readonly level?: number;
}

describe("compareImages", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson compare "));
  });
  after(() => rm(folder, { recursive: true }));

  let serial = 0;
  /** Writes an image layout, as BuildKit's oci exporter does. */
  async function layout({ layers, env = [], level = 6 }: Made) {
    const path = join(folder, String(++serial));
    await mkdir(join(path, "blobs", "sha256"), { recursive: true });
    const put = async (mediaType: string, bytes: Buffer) => {
      const digest = digestOf(bytes);
      await writeFile(join(path, "blobs", ...digest.split(":")), bytes);
      return { mediaType, digest, size: bytes.length };
    };
    const json = (value: unknown) => Buffer.from(JSON.stringify(value));
    const tars = await Promise.all(layers.map((entries) => tarOf(...entries)));
    const config = await put(
      MEDIA.config,
      json({
        ...{ architecture: "amd64", os: "linux", config: { Env: env } },
        rootfs: { type: "layers", diff_ids: tars.map(digestOf) },
        history: [{ created_by: "ENV", empty_layer: true }, ...layers.map((_, i) => ({ created_by: `RUN step ${i}` }))],
      }),
    );
    const type = "application/vnd.oci.image.layer.v1.tar+gzip";
    const blobs = await Promise.all(tars.map((tar) => put(type, gzipSync(tar, { level }))));
    const manifest = await put(
      MEDIA.manifest,
      json({ schemaVersion: 2, mediaType: MEDIA.manifest, config, layers: blobs }),
    );
    await writeFile(join(path, "index.json"), json({ schemaVersion: 2, manifests: [manifest] }));
    return imageInLayout(`build ${serial}`, path);
  }
  const compare = async (a: Made, b: Made) => compareImages(await layout(a), await layout(b));
  const base: readonly Entry[] = [["etc/os", "debian"]];
  const app = (text: string, more: Entry[2] = {}): Entry => ["srv/app", text, more];

  it("finds no difference between equal images", async () => {
    const image = { layers: [base, [app("x")]], env: ["A=1"] };
    assert.equal(await compare(image, image), undefined);
  });

  it("names the layer, the step and the file, with all that differs", async () => {
    const changed = app("longer", { mode: 0o755, uid: 7, mtime: new Date(5000) });
    const found = await compare({ layers: [base, [app("x")]] }, { layers: [base, [changed]] });
    assert.equal(found?.layers.length, 1, "the layer below is the same");
    const [layer] = found.layers;
    assert.deepEqual([layer?.layer, layer?.kind, layer?.createdBy], [2, "entries", "RUN step 1"]);
    assert.deepEqual(
      layer?.entries.map((e) => [e.path, e.differences.map((d) => d.what)]),
      [["srv/app", ["mode", "owner", "mtime", "size", "content"]]],
    );
    assert.deepEqual(found.config, [], "that layers differ is not told twice");
    assert.deepEqual(found.manifest, []);
  });

  it("tells other files from another order, from another compression and from a missing layer", async () => {
    const [a, b]: Entry[] = [
      ["a", "1"],
      ["b", "2"],
    ];
    assert.ok(a && b);
    const kinds = async (x: Made, y: Made) => (await compare(x, y))?.layers.map((l) => l.kind);
    assert.deepEqual(await kinds({ layers: [[a, b]] }, { layers: [[b, a]] }), ["order"]);
    assert.deepEqual(await kinds({ layers: [[a, b]] }, { layers: [[a, b]], level: 1 }), ["compression"]);
    assert.deepEqual(await kinds({ layers: [[a], [b]] }, { layers: [[a]] }), ["missing"]);
    assert.deepEqual(await kinds({ layers: [[["a", "1", { uname: "x" }]]] }, { layers: [[a]] }), ["archive"]);
  });

  it("names what differs in the config alone", async () => {
    const found = await compare({ layers: [base], env: ["BUILT=1"] }, { layers: [base], env: ["BUILT=2"] });
    assert.deepEqual(found?.config, [{ what: "config.Env.0", values: ["BUILT=1", "BUILT=2"] }]);
    assert.deepEqual(found.layers, []);
  });

  it("refuses a layout of several images", async () => {
    const path = join(folder, "two");
    await mkdir(path);
    const entry = { mediaType: MEDIA.manifest, digest: digestOf(Buffer.from("x")), size: 1 };
    await writeFile(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry, entry] }));
    await assert.rejects(imageInLayout("x", path), /expected one image in .*two, found 2/);
  });
});
