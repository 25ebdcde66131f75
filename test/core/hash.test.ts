import assert from "node:assert/strict";
import fc from "fast-check";
import type { ContextEntry } from "../../core/context.ts";
import { type BuildInputs, canonicalJson, contextHash, imageContentHash, lockHash } from "../../core/hash.ts";

const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
const entry: fc.Arbitrary<ContextEntry> = fc.oneof(
  fc.record({
    kind: fc.constant("file" as const),
    path: fc.string({ minLength: 1 }),
    executable: fc.boolean(),
    size: fc.nat(),
    sha256: hex,
  }),
  fc.record({ kind: fc.constant("symlink" as const), path: fc.string({ minLength: 1 }), target: fc.string() }),
  fc.record({ kind: fc.constant("directory" as const), path: fc.string({ minLength: 1 }) }),
);
const entries = fc.uniqueArray(entry, { selector: (e) => e.path });

const inputs: BuildInputs = {
  dockerfile: "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n",
  args: { A: "1" },
  context: [{ kind: "file", path: "a", executable: false, size: 1, sha256: "a".repeat(64) }],
  contexts: { packages: "b".repeat(64) },
  base: "c".repeat(64),
};

describe("content hash", () => {
  it("does not depend on the order of entries", () =>
    fc.assert(
      fc.property(
        entries.chain((e) => fc.tuple(fc.constant(e), fc.shuffledSubarray(e, { minLength: e.length }))),
        ([a, b]) => assert.equal(contextHash(a), contextHash(b)),
      ),
    ));

  it("differs for any two different contexts", () =>
    fc.assert(
      fc.property(entries, entries, (a, b) => {
        const size = (e: ContextEntry) => (e.kind === "file" ? { ...e, size: 0 } : e); // the bytes' hash says more than the size
        const same = (x: ContextEntry[]) => canonicalJson(x.map(size).toSorted((p, q) => (p.path < q.path ? -1 : 1)));
        assert.equal(contextHash(a) === contextHash(b), same(a) === same(b));
      }),
    ));

  for (const [what, changed] of [
    ["Dockerfile", { dockerfile: `${inputs.dockerfile}# x` }],
    ["argument", { args: { A: "2" } }],
    ["stage", { target: "build" }],
    ["file's bytes", { context: [{ ...(inputs.context[0] as ContextEntry), sha256: "d".repeat(64) }] }],
    ["executable bit", { context: [{ ...(inputs.context[0] as ContextEntry), executable: true }] }],
    ["named context", { contexts: { packages: "e".repeat(64) } }],
    ["base", { base: "f".repeat(64) }],
  ] as const)
    it(`changes with the ${what}`, () =>
      assert.notEqual(imageContentHash({ ...inputs, ...(changed as Partial<BuildInputs>) }), imageContentHash(inputs)));

  it("is the same for arguments in another order", () =>
    assert.equal(
      imageContentHash({ ...inputs, args: { B: "2", A: "1" } }),
      imageContentHash({ ...inputs, args: { A: "1", B: "2" } }),
    ));

  it("of a lock sees bytes, names and platforms, not sources", () => {
    const a = { file: "x.deb", source: "debian:bookworm/x.deb", integrity: `sha256-${"0".repeat(64)}`, size: 1 };
    const b = { ...a, file: "y.deb" };
    assert.equal(
      lockHash({ artifacts: [a, b] }),
      lockHash({ artifacts: [b, { ...a, source: "https://mirror/x.deb" }] }),
    );
    assert.notEqual(lockHash({ artifacts: [a] }), lockHash({ artifacts: [b] }));
    assert.notEqual(lockHash({ artifacts: [a] }), lockHash({ artifacts: [{ ...a, platform: "linux/arm64" }] }));
  });
});
