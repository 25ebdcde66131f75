import assert from "node:assert/strict";
import { toMarkdown, toText } from "../../../core/report/document.ts";
import { reproductionDocument } from "../../../core/report/reproduction-document.ts";
import { isReproducible, type Reproduction } from "../../../core/reproduction.ts";

const [A, B] = [`sha256:${"a".repeat(64)}`, `sha256:${"b".repeat(64)}`];
const image = { image: "web", contentHash: "0".repeat(64) };
const same: Reproduction = {
  ...image,
  platforms: [{ platform: "linux/amd64", builds: [A, A], registry: A, differences: [] }],
};
const different: Reproduction = {
  ...image,
  platforms: [
    {
      platform: "linux/amd64",
      builds: [A, B],
      differences: [
        {
          between: ["first build", "second build"],
          digests: [A, B],
          manifest: [],
          config: [{ what: "config.Env.0", values: ["AT=1", undefined] }],
          layers: [
            { layer: 1, digests: [A, undefined], kind: "missing", entries: [] },
            {
              ...{ layer: 2, createdBy: "RUN date |\n tee /built", digests: [A, B], kind: "entries" },
              entries: Array.from({ length: 60 }, (_, i) => ({
                path: `built${i}`,
                differences: [{ what: "content", values: [A, B] as const }],
              })),
            },
          ],
        },
      ],
    },
  ],
};

describe("what `keelson reproduce` says", () => {
  it("is one line for an image with one digest", () => {
    assert.equal(isReproducible(same), true);
    const text = toText(reproductionDocument(same));
    assert.match(text, /^web: reproducible\n/);
    assert.match(text, /linux\/amd64 +sha256:aaaaaaaaaaaa… +the same +the same/);
  });

  it("tells a registry that has none from one that has another", () => {
    const [platform] = same.platforms;
    assert.ok(platform);
    const { registry: _, ...without } = platform;
    assert.match(toText(reproductionDocument({ ...image, platforms: [without] })), /the same +has none/);
    const other = toText(reproductionDocument({ ...image, platforms: [{ ...platform, registry: B }] }));
    assert.match(other, /the same +sha256:bbbbbbbbbbbb…/);
  });

  it("has a column for each build there was", () => {
    const once = (registry: string) =>
      toText(
        reproductionDocument({
          ...image,
          platforms: [{ platform: "linux/amd64", builds: [A], registry, differences: [] }],
        }),
      );
    assert.match(once(A), /platform +first build +registry\n/);
    assert.match(once(A), /linux\/amd64 +sha256:aaaaaaaaaaaa… +the same/);
    assert.match(once(B), /linux\/amd64 +sha256:aaaaaaaaaaaa… +sha256:bbbbbbbbbbbb…/);
  });

  it("names layer, step and file of a difference, and cuts long lists", () => {
    assert.equal(isReproducible(different), false);
    const text = toText(reproductionDocument(different));
    assert.match(text, /^web: not reproducible\n/);
    assert.match(text, /config\.Env\.0 +AT=1 +-/);
    assert.match(text, /layer 1: only in the first build/);
    assert.match(text, /layer 2 \(RUN date \| tee \/built\): 60 files differ/);
    assert.match(text, /\/built49 +content +sha256:aaaaaaaaaaaa… +sha256:bbbbbbbbbbbb…/);
    assert.doesNotMatch(text, /\/built50 /);
    assert.match(text, /and 10 more/);
    assert.match(toMarkdown(reproductionDocument(different)), /<details><summary>layer 2 .*60 files differ<\/summary>/);
  });
});
