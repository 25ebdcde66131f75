import assert from "node:assert/strict";
import { type ComparedEntry, diffEntries, differsInOrder, diffJson } from "../../core/image-diff.ts";

const file = (path: string, more: Partial<ComparedEntry> = {}): ComparedEntry => ({
  ...{ path, kind: "file", mode: 0o644, uid: 0, gid: 0, mtime: 1_767_225_600, size: 3, sha256: "aa" },
  ...more,
});

describe("diffEntries", () => {
  const changes: readonly [string, Partial<ComparedEntry>, readonly [string, string]][] = [
    ["mode", { mode: 0o4755 }, ["0644", "4755"]],
    ["owner", { gid: 10 }, ["0:0", "0:10"]],
    ["mtime", { mtime: 1_767_225_600.5 }, ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500Z"]],
    ["size", { size: 4 }, ["3", "4"]],
    ["content", { sha256: "bb" }, ["sha256:aa", "sha256:bb"]],
    ["attributes", { attributes: { "security.capability": "x" } }, ["[]", '[["security.capability","x"]]']],
  ];
  for (const [what, change, values] of changes)
    it(`names a path whose ${what} differs`, () => {
      const found = diffEntries([file("a"), file("b")], [file("a"), file("b", change)]);
      assert.deepEqual(found, [{ path: "b", differences: [{ what, values }] }]);
    });

  it("names paths that one side lacks, of another kind and with another target", () => {
    const link = (path: string, target: string) => file(path, { kind: "symlink", link: target, size: 0 });
    const found = diffEntries(
      [file("gone"), file("kind"), link("link", "/x")],
      [link("kind", "/x"), link("link", "/y"), file("new", { size: 7 })],
    );
    assert.deepEqual(found, [
      { path: "gone", differences: [{ what: "presence", values: ["file of 3 bytes", undefined] }] },
      { path: "kind", differences: [{ what: "kind", values: ["file", "symlink"] }] },
      { path: "link", differences: [{ what: "link", values: ["/x", "/y"] }] },
      { path: "new", differences: [{ what: "presence", values: [undefined, "file of 7 bytes"] }] },
    ]);
  });

  it("finds nothing in equal layers, in whichever order; the order is asked of apart", () => {
    const [a, b] = [
      [file("a"), file("b")],
      [file("b"), file("a")],
    ];
    assert.deepEqual(diffEntries(a, b), []);
    assert.equal(differsInOrder(a, b), true);
    assert.equal(differsInOrder(a, a), false);
  });

  it("says an impossible time as the number that it is", () => {
    const [found] = diffEntries([file("a")], [file("a", { mtime: 1e18 })]);
    assert.deepEqual(found?.differences[0]?.values[1], "1000000000000000000");
  });
});

describe("diffJson", () => {
  it("gives the path of every leaf that differs", () => {
    const before = { config: { Env: ["A=1", "B=2"], User: "1" }, created: "x" };
    const after = { config: { Env: ["A=1", "B=3", "C=4"] }, created: "x", more: { deep: [1] } };
    assert.deepEqual(diffJson(before, after), [
      { what: "config.Env.1", values: ["B=2", "B=3"] },
      { what: "config.Env.2", values: [undefined, "C=4"] },
      { what: "config.User", values: ["1", undefined] },
      { what: "more", values: [undefined, '{"deep":[1]}'] },
    ]);
    assert.deepEqual(diffJson(before, structuredClone(before)), []);
  });
});
