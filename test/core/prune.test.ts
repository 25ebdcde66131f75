import assert from "node:assert/strict";
import fc from "fast-check";
import { decidePrune, isReleaseTag, type PruneInput, type StoredManifest } from "../../core/prune.ts";

const stored = (digest: string, over: Partial<StoredManifest> = {}): StoredManifest => ({
  repository: "app",
  digest,
  tags: [],
  children: [],
  ...over,
});
const decide = (manifests: StoredManifest[], over: Partial<PruneInput> = {}) =>
  decidePrune({ stored: manifests, keepers: [], workloads: [], rollbacks: 2, ...over });
const dropped = (manifests: StoredManifest[], over: Partial<PruneInput> = {}) =>
  decide(manifests, over).drop.map((m) => m.digest);
const keeper = (reference: string) => ({ keepers: [{ repository: "app", reference, reason: "stack dev" }] });

/** A tag as a build gives it. */
const built = (n: number) => `h-${String(n).repeat(64)}`;

describe("decidePrune", () => {
  it("keeps what keelson did not push, with all its parts", () => {
    const foreign = stored("a", { tags: ["worker-20261121-abc1234"], children: ["p"], foreign: true });
    assert.deepEqual(dropped([foreign, stored("p", { foreign: true }), stored("b", { tags: [built(1)] })]), ["b"]);
    assert.deepEqual(
      decide([foreign]).keep.map((k) => k.reason),
      ["keelson did not push it"],
    );
  });

  it("keeps what has a tag that no build gives", () => {
    const tagged = stored("a", { tags: [built(1), "production"] });
    assert.deepEqual(
      decide([tagged]).keep.map((k) => k.reason),
      ["somebody tagged it production"],
    );
    const own = [
      built(1),
      `unchecked-${"0".repeat(64)}-linux-amd64`,
      "cache-linux-arm64",
      "worker-20261121-abc1234-cu121",
    ];
    assert.deepEqual(dropped(own.map((tag, i) => stored(`d${i}`, { tags: [tag] }))), ["d2", "d0", "d1", "d3"]);
  });

  it("drops what is about what goes, whoever pushed it and however it is tagged", () =>
    assert.deepEqual(
      dropped([
        stored("a", { tags: [built(1)] }),
        stored("s", { tags: [`sha256-${"0".repeat(64)}.sig`], subject: "a", foreign: true }),
        stored("u", { foreign: true, subject: "a" }),
      ]),
      ["a", "s", "u"],
    ));

  it("drops what nothing keeps", () => {
    assert.deepEqual(
      dropped([stored("a", { tags: [built(1)] }), stored("b", { tags: [built(2)] })], keeper(built(2))),
      ["a"],
    );
    assert.deepEqual(dropped([stored("a", { tags: [built(1)] }), stored("b")], keeper("b")), ["a"]);
  });

  it("keeps an index's platforms, also one that a dropped index shares", () => {
    const manifests = [
      stored("i", { tags: [built(1)], children: ["p", "q"] }),
      stored("j", { tags: [built(2)], children: ["q", "r"] }),
      stored("p"),
      stored("q"),
      stored("r"),
    ];
    assert.deepEqual(dropped(manifests, keeper(built(2))), ["i", "p"]);
  });

  it("keeps what is about what is kept, and drops it with what it is about", () => {
    const manifests = [
      stored("a"),
      stored("sbom", { subject: "a" }),
      stored("signature", { subject: "sbom" }),
      stored("b"),
      stored("other", { subject: "b" }),
    ];
    assert.deepEqual(dropped(manifests, keeper("a")), ["b", "other"]);
  });

  it("keeps what a workload runs and so many versions before", () => {
    const workloads = [{ workload: "web", repository: "app", digests: ["e", "d", "c", "b", "a"] }];
    const manifests = ["a", "b", "c", "d", "e"].map((d) => stored(d));
    assert.deepEqual(dropped(manifests, { workloads }), ["a", "b"]);
    assert.deepEqual(dropped(manifests, { workloads, rollbacks: 0 }), ["a", "b", "c", "d"]);
    const reasons = decide(manifests, { workloads }).keep.map((k) => k.reason);
    assert.deepEqual(reasons, ["web can go back to it (2 of 2)", "web can go back to it (1 of 2)", "web runs it"]);
  });

  it("keeps releases, and all tags on a kept digest", () => {
    assert.deepEqual(
      dropped([stored("a", { tags: ["1.2.3", built(1)] }), stored("b", { tags: ["worker-20261121-abc1234"] })]),
      ["b"],
    );
  });

  it("keeps nothing in another repository", () => {
    assert.deepEqual(dropped([stored("a", { repository: "other" }), stored("a")], keeper("a")), ["a"]);
  });

  it("never drops what something kept needs", () => {
    const digest = fc.constantFrom("a", "b", "c", "d", "e", "f");
    const manifest = fc.record({
      digest,
      tags: fc.subarray([built(1), built(2), "1.0.0", "mine"]),
      children: fc.uniqueArray(digest, { maxLength: 3 }),
      subject: fc.option(digest, { nil: undefined }),
    });
    const registry = fc.uniqueArray(manifest, { selector: (m) => m.digest, maxLength: 6 });
    fc.assert(
      fc.property(registry, digest, (manifests, reference) => {
        const all = manifests.map(({ subject, ...m }) =>
          stored(m.digest, { ...m, ...(subject === undefined ? {} : { subject }) }),
        );
        const { keep, drop } = decide(all, keeper(reference));
        assert.equal(keep.length + drop.length, all.length);
        const gone = new Set(drop.map((m) => m.digest));
        assert.ok(!gone.has(reference));
        for (const { manifest: m } of keep) for (const child of m.children) assert.ok(!gone.has(child));
        for (const m of drop) assert.ok(!m.tags.some(isReleaseTag));
        for (const m of drop) assert.ok(m.subject !== undefined || !m.tags.includes("mine"));
      }),
    );
  });
});

describe("isReleaseTag", () => {
  for (const tag of ["1", "1.2", "1.2.3", "v1.2.3", "1.2.3-rc.1", "1.2.3-cu121", "latest", "latest-cu121"])
    it(tag, () => assert.ok(isReleaseTag(tag)));
  for (const tag of ["h-0123", "worker-20261121-abc1234", "20261121", "main", "sha256-00"])
    it(`not ${tag}`, () => assert.ok(!isReleaseTag(tag)));
});
