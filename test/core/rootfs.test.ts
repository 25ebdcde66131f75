import assert from "node:assert/strict";
import fc from "fast-check";
import { type LayerEntry, RootFs } from "../../core/rootfs.ts";

const file = (path: string, size: number): LayerEntry => ({ path, kind: "file", size });
const directory = (path: string): LayerEntry => ({ path, kind: "directory", size: 0 });
const link = (path: string, to: string): LayerEntry => ({ path, kind: "symlink", size: 0, link: to });
const hard = (path: string, to: string): LayerEntry => ({ path, kind: "hardlink", size: 0, link: to });
const gone = (path: string): LayerEntry => ({ path, kind: "whiteout", size: 0 });
const opaque = (path: string): LayerEntry => ({ path, kind: "opaque", size: 0 });

function apply(...layers: LayerEntry[][]): RootFs {
  const fs = new RootFs();
  for (const layer of layers) fs.apply(layer);
  return fs;
}
const sizes = (fs: RootFs) => Object.fromEntries(fs.files().map((f) => [f.path, f.bytes]));
const wasted = (fs: RootFs) => fs.waste().map((w) => [w.path, w.bytes, w.layer, w.removedBy]);

describe("RootFs", () => {
  it("deletes files and whole trees of lower layers", () => {
    const fs = apply([file("a/b", 1), file("a/c/d", 2), file("e", 4)], [gone("a"), gone("missing/x")]);
    assert.deepEqual(sizes(fs), { e: 4 });
    assert.deepEqual(wasted(fs), [
      ["a/c/d", 2, 0, 1],
      ["a/b", 1, 0, 1],
    ]);
  });

  it("a whiteout concerns lower layers alone, wherever it stands", () => {
    assert.deepEqual(sizes(apply([file("a", 1)], [file("a", 2), gone("a")])), { a: 2 });
    assert.deepEqual(sizes(apply([file("d/old", 1)], [file("d/new", 2), opaque("d")])), { "d/new": 2 });
    assert.deepEqual(sizes(apply([file("x", 1)], [opaque(""), file("y", 2)])), { y: 2 });
  });

  it("overwrites, also across kinds", () => {
    const fs = apply(
      [file("a", 1), file("b/c", 2)],
      [file("a", 10), file("b", 20)],
      [directory("a"), file("a/x", 100)],
    );
    assert.deepEqual(sizes(fs), { "a/x": 100, b: 20 });
    assert.deepEqual(wasted(fs), [
      ["a", 10, 1, 2],
      ["b/c", 2, 0, 1],
      ["a", 1, 0, 1],
    ]);
  });

  it("keeps what is in a directory that a layer only mentions", () => {
    assert.deepEqual(sizes(apply([file("d/a", 1)], [directory("d"), file("d/b", 2)])), { "d/a": 1, "d/b": 2 });
  });

  it("counts the bytes of hard links once, until the last name goes", () => {
    const fs = apply([file("a", 8), hard("b", "a"), hard("c", "a")], [gone("a")]);
    assert.deepEqual(sizes(fs), { b: 8, c: 0 });
    assert.deepEqual(wasted(fs), []);
    assert.deepEqual(wasted(apply([file("a", 8), hard("b", "a")], [gone("a")], [file("b", 1)])), [["a", 8, 0, 2]]);
    assert.deepEqual(sizes(apply([file("a", 8), hard("a", "a"), hard("d", "nowhere")])), { a: 8, d: 0 });
  });

  it("writes through links of lower layers, inside of the root", () => {
    const fs = apply(
      [directory("usr/lib"), link("lib", "usr/lib"), link("abs", "/usr"), link("up", "../../usr")],
      [file("lib/x", 1), file("abs/y", 2), file("up/z", 4)],
    );
    assert.deepEqual(sizes(fs), { abs: 0, lib: 0, up: 0, "usr/lib/x": 1, "usr/y": 2, "usr/z": 4 });
    assert.equal(fs.resolve("lib/x"), "usr/lib/x");
    assert.equal(fs.resolve("lib"), "lib");
    assert.equal(fs.realPath("lib"), "usr/lib");
    assert.equal(fs.resolve("lib/../../../etc"), undefined);
  });

  it("replaces a link by the directory that a layer brings", () => {
    assert.deepEqual(sizes(apply([file("r/a", 1), link("l", "r")], [directory("l"), file("l/b", 2)])), {
      "l/b": 2,
      "r/a": 1,
    });
  });

  it("ends on link loops", () => {
    const fs = apply([link("a", "b"), link("b", "a"), link("self", "self/x")], [file("a/x", 1)]);
    assert.equal(fs.realPath("self"), undefined);
    assert.equal(fs.realPath("a/x"), "a/x");
  });

  it("agrees with a plain list of names, and loses no byte", () => {
    const name = fc.constantFrom("a", "b", "c");
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
    const size = fc.integer({ min: 0, max: 1000 });
    const entry = fc.oneof(
      { weight: 4, arbitrary: fc.tuple(path, size).map(([p, s]) => file(p, s)) },
      path.map(directory),
      path.map(gone),
      path.map(opaque),
    );
    const layers = fc.array(fc.array(entry, { maxLength: 8 }), { maxLength: 5 });
    fc.assert(
      fc.property(layers, (all) => {
        const fs = apply(...all);
        const [live, total] = naive(all);
        assert.deepEqual(sizes(fs), Object.fromEntries([...live].sort()));
        const kept = fs.files().reduce((sum, f) => sum + f.bytes, 0);
        const lost = fs.waste().reduce((sum, w) => sum + w.bytes, 0);
        assert.equal(kept + lost, total);
      }),
      { numRuns: 500 },
    );
  });
});

/** The same rules on a flat map of paths: files that are there, and the bytes that the layers brought. */
function naive(layers: LayerEntry[][]): [Map<string, number>, number] {
  const live = new Map<string, number>();
  let total = 0;
  const below = (path: string) => [...live.keys()].filter((p) => p.startsWith(path === "" ? "" : `${path}/`));
  for (const layer of layers) {
    for (const { path, kind } of layer) {
      if (kind === "whiteout") live.delete(path);
      if (kind === "whiteout" || kind === "opaque") for (const p of below(path)) live.delete(p);
    }
    for (const { path, kind, size } of layer) {
      if (kind === "whiteout" || kind === "opaque") continue;
      // A file where a directory must be gives way; so does a directory where a file comes.
      for (let slash = path.indexOf("/"); slash > 0; slash = path.indexOf("/", slash + 1))
        live.delete(path.slice(0, slash));
      if (kind === "directory") live.delete(path);
      else {
        for (const p of below(path)) live.delete(p);
        live.set(path, size);
        total += size;
      }
    }
  }
  return [live, total];
}
