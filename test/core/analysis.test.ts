import assert from "node:assert/strict";
import { analyzeImage, type ReadImage, restOf, rootFsOf, sizeTree } from "../../core/analysis.ts";
import type { LayerScan, ScannedEntry } from "../../core/layer.ts";

const file = (path: string, size: number): ScannedEntry => ({ path, kind: "file", size, mode: 0o644, uid: 0, gid: 0 });
const gone = (path: string): ScannedEntry => ({ ...file(path, 0), kind: "whiteout" });

function image(...layers: [entries: ScannedEntry[], facts?: LayerScan["facts"]][]): ReadImage {
  return {
    reference: "localhost/app:1",
    platform: "linux/amd64",
    digest: "sha256:0",
    history: [],
    layers: layers.map(([entries, facts = []], i) => {
      const content = entries.reduce((sum, e) => sum + e.size, 0);
      const scan: LayerScan = {
        diffId: String(i),
        unpacked: content + 512 * entries.length,
        content,
        entries,
        facts,
        secrets: [],
        refused: [],
      };
      return { digest: `sha256:${i}`, mediaType: "t", compressed: 10 * (i + 1), scan };
    }),
  };
}

describe("analyzeImage", () => {
  it("accounts for every byte of every layer", () => {
    const all = analyzeImage(image([[file("a", 100), file("d/b", 50)]], [[file("a", 30), gone("d/b"), file("c", 7)]]));
    assert.deepEqual(
      [all.compressed, all.content, all.final, all.waste.bytes, all.unpacked],
      [30, 187, 37, 150, 187 + 5 * 512],
    );
    assert.deepEqual(
      all.layers.map((l) => [l.content, l.wasted]),
      [
        [150, 150],
        [37, 0],
      ],
    );
    assert.deepEqual(all.unexplained, {
      bytes: 37,
      files: 2,
      largest: [
        { path: "a", bytes: 30 },
        { path: "c", bytes: 7 },
      ],
    });
  });

  it("believes a package database as its last layer has it, and one that was deleted not at all", () => {
    const status = "var/lib/dpkg/status";
    const says = (version: string) =>
      [status, { kind: "dpkg-status" as const, entries: [{ name: "x", version, architecture: "amd64" }] }] as const;
    const listed = ["var/lib/dpkg/info/x.list", { kind: "dpkg-list" as const, files: ["a"] }] as const;
    const base: [ScannedEntry[], LayerScan["facts"]] = [
      [file("a", 5), file(status, 1), file("var/lib/dpkg/info/x.list", 1)],
      [says("1"), listed],
    ];
    const upgraded = analyzeImage(image(base, [[file(status, 1)], [says("2")]]));
    assert.deepEqual(upgraded.packages, [{ manager: "dpkg", name: "x", version: "2", bytes: 5, files: 1 }]);
    assert.deepEqual(analyzeImage(image(base, [[gone("var/lib/dpkg")]])).packages, []);
  });

  it("measures the rest by what is still there under the named paths", () => {
    const read = image([[file("opt/cli", 100)]], [[file("opt/cli", 120), file("opt/clip", 3)]]);
    const rest = restOf(read, rootFsOf(read).files(), ["/opt/cli"]);
    assert.equal(rest, 100 + 3 + 3 * 512);
  });

  it("sums up what is too small to see", () => {
    const files = [
      ["big/x", 1e6],
      ["big/y", 10],
      ["small", 20],
      ["empty", 0],
    ].map(([path, bytes]) => ({ path: String(path), kind: "file" as const, bytes: Number(bytes), layer: 0 }));
    const tree = sizeTree(files);
    assert.deepEqual(
      tree.children?.map((c) => [c.name, c.bytes, c.files]),
      [
        ["big", 1_000_010, 2],
        ["…", 20, 2],
      ],
    );
    assert.deepEqual(
      tree.children?.[0]?.children?.map((c) => c.name),
      ["x", "…"],
    );
  });
});
