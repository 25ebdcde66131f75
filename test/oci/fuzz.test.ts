import assert from "node:assert/strict";
import fc from "fast-check";
import { analyzeImage } from "../../core/analysis.ts";
import { readElf } from "../../core/elf.ts";
import { isPackageFile, readPackageFile } from "../../core/packages.ts";
import { findSecrets } from "../../core/secrets.ts";
import { scanLayer } from "../../oci/layers.ts";
import { parseDocument } from "../../oci/schemas.ts";
import { pieces, tarOf } from "./tars.ts";

/** Whatever bytes come from outside: a clear refusal or a result, never another error. */
describe("bytes from outside", () => {
  const bytes = fc.uint8Array({ maxLength: 3000 }).map((b) => Buffer.from(b));
  const refusal = (error: unknown) => {
    if (!(error instanceof RangeError)) throw error;
  };

  it("as a manifest", () => {
    const json = fc.json().map((text) => Buffer.from(text));
    fc.assert(
      fc.property(
        fc.oneof(bytes, json),
        fc.constantFrom("", "application/vnd.oci.image.index.v1+json", "text/html"),
        (content, type) => {
          try {
            parseDocument(content, type);
          } catch (error) {
            refusal(error);
          }
        },
      ),
    );
  });

  it("as a layer", async () => {
    await fc.assert(fc.asyncProperty(bytes, (content) => scanLayer(pieces(content, 100)).then(() => {}, refusal)));
  });

  it("as a layer with a bit turned", async () => {
    const tar = await tarOf(
      ["a/b", "hello"],
      ["a/c", "", { type: "symlink", linkname: "b" }],
      [`${"long/".repeat(40)}x`, "y"],
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(tar.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const bad = Buffer.from(tar);
        bad[at] = (bad[at] ?? 0) ^ mask;
        const scan = await scanLayer(pieces(bad)).catch(refusal);
        if (!scan) return;
        const digest = "sha256:0";
        const image = {
          reference: "x",
          platform: "linux/amd64",
          digest,
          history: [],
          layers: [{ digest, mediaType: "", compressed: 1, scan }],
        };
        const analysis = analyzeImage(image, ["a"]);
        assert.equal(analysis.final + analysis.waste.bytes <= analysis.content, true);
        for (const entry of scan.entries) assert.ok(!entry.path.split("/").includes(".."), entry.path);
      }),
      { numRuns: 300 },
    );
  });

  it("as an ELF file, a package database, a text", () => {
    const elf = bytes.map((b) => Buffer.concat([Buffer.from("\x7fELF\x02\x01", "latin1"), b]));
    const paths = [
      "var/lib/dpkg/status",
      "var/lib/dpkg/info/a.list",
      "var/lib/dpkg/info/a.md5sums",
      "lib/apk/db/installed",
      "x-1.dist-info/RECORD",
      "node_modules/a/package.json",
    ];
    fc.assert(
      fc.property(elf, fc.constantFrom(...paths), fc.string(), (file, path, text) => {
        readElf(file);
        assert.ok(isPackageFile(path));
        readPackageFile(path, text);
        findSecrets(text);
      }),
    );
  });
});
