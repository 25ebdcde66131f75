import assert from "node:assert/strict";
import fc from "fast-check";
import { analyzeImage, type ImageAnalysis, type SizeNode } from "../../../core/analysis.ts";
import type { LayerScan } from "../../../core/layer.ts";
import { toMarkdown, toText } from "../../../core/report/document.ts";
import { imagesHtml } from "../../../core/report/html.ts";
import { makeImagesReport } from "../../../core/report/images.ts";
import { imagesDocument } from "../../../core/report/images-document.ts";
import { pulls, shareLayers } from "../../../core/report/sharing.ts";
import { treemap } from "../../../core/report/treemap.ts";

/** An image whose layers hold a file each, named and sized. */
function image(
  name: string,
  layers: readonly (readonly [digest: string, path: string, size: number])[],
  platform = "linux/amd64",
): ImageAnalysis {
  return analyzeImage({
    reference: `localhost/${name}:1`,
    platform,
    digest: `sha256:${name}`,
    history: layers.map(([digest]) => ({ createdBy: `RUN /bin/sh -c make ${digest}`, empty: false })),
    layers: layers.map(([digest, path, size]) => {
      const entry = { path, kind: "file" as const, size, mode: 0o644, uid: 0, gid: 0 };
      const scan: LayerScan = {
        diffId: digest,
        unpacked: size + 1024,
        content: size,
        entries: [entry],
        facts: [],
        secrets: [],
        refused: [],
      };
      return {
        digest: `sha256:${digest}`,
        mediaType: "t",
        compressed: size / 2,
        createdBy: `RUN /bin/sh -c make ${digest}`,
        scan,
      };
    }),
  });
}

const debian = image("debian", [["a", "usr/lib/x", 60e6]]);
const worker = image("worker", [
  ["a", "usr/lib/x", 60e6],
  ["b", "usr/bin/claude", 400e6],
]);
const tool = image("tool", [
  ["a", "usr/lib/x", 60e6],
  ["b", "usr/bin/claude", 400e6],
  ["c", "usr/bin/claude", 2e6],
]);
const other = image("other", [
  ["z", "srv/x", 10e6],
  ["b", "usr/bin/claude", 400e6],
]);

describe("shared layers", () => {
  it("the longest beginning is the base, of one platform", () => {
    const arm = image("debian", [["a", "usr/lib/x", 60e6]], "linux/arm64");
    const shared = shareLayers([tool, debian, worker, other, arm]);
    assert.deepEqual(
      shared.map((s) => s.parent),
      [2, undefined, 1, undefined, undefined],
    );
    assert.deepEqual(
      shared.map((s) => [s.inherited / 1e6, s.own / 1e6]),
      [
        [230, 1],
        [0, 30],
        [30, 200],
        [0, 205],
        [0, 30],
      ],
    );
  });

  it("equal images are not built on each other", () => {
    assert.deepEqual(
      shareLayers([debian, debian]).map((s) => s.parent),
      [undefined, undefined],
    );
  });

  it("a machine pulls each layer once, wherever it stands", () => {
    assert.deepEqual(pulls([debian, worker, tool, other]), [
      { platform: "linux/amd64", images: 4, distinct: 236e6, separate: 696e6 },
    ]);
  });
});

describe("treemap", () => {
  const tree: fc.Arbitrary<SizeNode> = fc
    .array(fc.tuple(fc.string({ minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 1e6 })), {
      minLength: 1,
      maxLength: 12,
    })
    .map((leaves) => {
      const children = leaves.map(([name, bytes]) => ({ name, bytes, files: 1 })).sort((a, b) => b.bytes - a.bytes);
      return { name: "/", bytes: children.reduce((sum, c) => sum + c.bytes, 0), files: children.length, children };
    });

  it("gives each its share of the area, inside the picture, none over another", () => {
    fc.assert(
      fc.property(tree, (root) => {
        const tiles = treemap(root, 900, 400);
        for (const t of tiles) {
          assert.ok(t.x >= -0.01 && t.y >= -0.01 && t.x + t.width <= 900.01 && t.y + t.height <= 400.01);
          assert.ok(Math.abs((t.width * t.height) / (900 * 400) - t.node.bytes / root.bytes) < 1e-6);
        }
        for (const [i, a] of tiles.entries()) {
          for (const b of tiles.slice(i + 1)) {
            const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
            const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
            assert.ok(across < 0.01 || down < 0.01);
          }
        }
      }),
    );
  });

  it("draws nothing for nothing", () => {
    assert.deepEqual(treemap({ name: "/", bytes: 0, files: 0 }, 900, 400), []);
    assert.deepEqual(
      treemap({ name: "/", bytes: 0, files: 1, children: [{ name: "a", bytes: 0, files: 1 }] }, 900, 400),
      [],
    );
  });
});

describe("the images report", () => {
  const history = [{ label: "0.1.0", platform: "linux/amd64", compressed: 25e6, unpacked: 50e6 }];
  const report = makeImagesReport([
    { name: "debian", platforms: [debian], history },
    { name: "tool", platforms: [tool] },
  ]);

  it("has sizes, sharing, waste and growth in its overview", () => {
    const markdown = toMarkdown(imagesDocument(report));
    assert.match(
      markdown,
      /\| debian \| linux\/amd64 \| 30\.0 MB \| 60\.0 MB \| 30\.0 MB \| - \| 0\.0 MB \| \+5\.0 MB \|/,
    );
    assert.match(
      markdown,
      /\| tool \| linux\/amd64 \| 231\.0 MB \| 462\.0 MB \| 201\.0 MB \| 30\.0 MB of debian \| 400\.0 MB \| - \|/,
    );
    assert.match(markdown, /runs all 2: 231\.0 MB to pull, 261\.0 MB if nothing were shared/);
    assert.match(markdown, /\| \/usr\/bin\/claude \| 400\.0 MB \| 2: RUN make b \| 3: RUN make c \|/);
    assert.match(markdown, /<details><summary>tool, linux\/amd64/);
  });

  it("is text for terminals too", () => {
    const text = toText(imagesDocument(report));
    assert.match(text, /^Image sizes\n═+\n/);
    assert.match(text, /\/usr\/bin +2\.0 MB +3\.2 %/);
  });

  it("is a page that needs nothing else, with a picture of every image and of the lineage", () => {
    const html = imagesHtml(report);
    assert.doesNotMatch(html, /<script|<link|<img|src=|href=|@import|url\(|https?:/);
    assert.equal(html.match(/<svg class="treemap"/g)?.length, 2);
    assert.equal(html.match(/<svg class="lineage"/g)?.length, 1);
    assert.match(html, /<title>\/usr\/lib\/x: 60\.0 MB, 100\.0 %, 1 files<\/title>/);
    assert.match(html, /class="edge"/);
    assert.equal(html, imagesHtml(report));
  });

  it("shows hostile names, and runs none", () => {
    const nasty = image("x", [["a", "<script>alert(1)</script>/\u001b[31m|a`b", 10e6]]);
    const hostile = makeImagesReport([{ name: "x", platforms: [nasty] }]);
    const [html, markdown, text] = [
      imagesHtml(hostile),
      toMarkdown(imagesDocument(hostile)),
      toText(imagesDocument(hostile)),
    ];
    assert.doesNotMatch(html, /<script/);
    assert.doesNotMatch(markdown, /(?<!\\)<script/);
    for (const shown of [html, markdown, text]) assert.ok(!shown.includes("\u001b"));
  });

  it("takes an empty list", () => {
    const empty = makeImagesReport([]);
    assert.match(imagesHtml(empty), /Image sizes/);
    assert.match(toText(imagesDocument(empty)), /image/);
  });
});
