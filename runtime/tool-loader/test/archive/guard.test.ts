import assert from "node:assert/strict";
import { posix } from "node:path";
import fc from "fast-check";
import { ArchiveGuard, type Entry, type Verdict } from "../../src/archive/guard.ts";

const limits = { bytes: 1000, entries: 100 };

function entry(name: string, more: Partial<Entry> = {}): Entry {
  return { name, type: "file", size: 1, mode: 0o644, ...more };
}

function reasonFor(...entries: Entry[]): string | undefined {
  const guard = new ArchiveGuard(limits);
  for (const e of entries) {
    const verdict = guard.check(e);
    if (verdict.do === "refuse") return verdict.reason;
  }
  return guard.finish();
}

describe("ArchiveGuard", () => {
  it("accepts what tools are made of", () => {
    assert.equal(
      reasonFor(
        entry("./", { type: "directory" }),
        entry("bin/", { type: "directory" }),
        entry("bin/ck", { mode: 0o755 }),
        entry("bin/link", { type: "symlink", linkname: "../lib/x" }),
        entry("lib/x"),
        entry("lib/same", { type: "link", linkname: "lib/x" }),
        entry("lib/y"),
      ),
      undefined,
    );
  });

  for (const [what, bad, reason] of [
    ["an absolute path", [entry("/etc/passwd")], /absolute/],
    ["a path that climbs out", [entry("a/../../x")], /climbs out/],
    ["a path that climbs and comes back", [entry("a/../b")], /climbs out/],
    ["a NUL byte", [entry("a\0b")], /NUL/],
    ["a device", [entry("null", { type: "character-device" })], /no tool needs/],
    ["a block device", [entry("sda", { type: "block-device" })], /no tool needs/],
    ["a fifo", [entry("pipe", { type: "fifo" })], /no tool needs/],
    ["an absolute symlink", [entry("a", { type: "symlink", linkname: "/etc/passwd" })], /outside/],
    ["a symlink that climbs out", [entry("a/b", { type: "symlink", linkname: "../../x" })], /outside/],
    ["a symlink that leaves and returns", [entry("a", { type: "symlink", linkname: "../tools/x" })], /outside/],
    ["a file through a symlink", [entry("a", { type: "symlink", linkname: "b" }), entry("a/x")], /through the symlink/],
    ["a file over a symlink", [entry("a", { type: "symlink", linkname: "b" }), entry("a")], /twice/],
    [
      "a directory over a symlink",
      [entry("a", { type: "symlink", linkname: "b" }), entry("a", { type: "directory" })],
      /twice/,
    ],
    ["a file twice", [entry("a"), entry("./a")], /twice/],
    ["a file below a file", [entry("a"), entry("a/b")], /below the file/],
    ["a hard link to what isn't there", [entry("a", { type: "link", linkname: "b" })], /no file before it/],
    [
      "a hard link to a symlink",
      [entry("s", { type: "symlink", linkname: "b" }), entry("a", { type: "link", linkname: "s" })],
      /no file before it/,
    ],
    ["a hard link that climbs out", [entry("a", { type: "link", linkname: "../x" })], /climbs out/],
    ["too many bytes", [entry("a", { size: 600 }), entry("b", { size: 401 })], /more than 1000 bytes/],
    ["a negative size", [entry("a", { size: -1 })], /no sane size/],
    ["too many entries", Array.from({ length: 101 }, (_, i) => entry(`f${i}`)), /more than 100 entries/],
    ["a name that is too long", [entry("a".repeat(300))], /longer than 255/],
  ] as const)
    it(`refuses ${what}`, () => assert.match(reasonFor(...bad) ?? "accepted", reason));

  it("refuses a symlink whose way out is made by a later one", () => {
    // p/q/s leads to the top; t goes over it and then up.
    const t = entry("t", { type: "symlink", linkname: "p/q/s/.." });
    const s = entry("p/q/s", { type: "symlink", linkname: "../.." });
    assert.match(reasonFor(s, t) ?? "accepted", /outside/);
    assert.match(reasonFor(t, s) ?? "accepted", /outside/);
  });

  it("lets a loop of symlinks be: it leads nowhere", () => {
    assert.equal(
      reasonFor(entry("a", { type: "symlink", linkname: "b" }), entry("b", { type: "symlink", linkname: "a" })),
      undefined,
    );
  });

  it("takes set-uid bits off and leaves files writable for their owner", () => {
    const guard = new ArchiveGuard(limits);
    assert.deepEqual(guard.check(entry("su", { mode: 0o4755 })), { do: "file", path: "su", size: 1, mode: 0o755 });
    assert.deepEqual(guard.check(entry("ro", { mode: 0o444 })), { do: "file", path: "ro", size: 1, mode: 0o644 });
  });

  it("strips leading parts, of hard links too", () => {
    const guard = new ArchiveGuard(limits, 1);
    assert.deepEqual(guard.check(entry("python/", { type: "directory" })), { do: "skip" });
    assert.equal((guard.check(entry("python/bin/x")) as { path: string }).path, "bin/x");
    assert.equal(
      (guard.check(entry("python/y", { type: "link", linkname: "python/bin/x" })) as { target: string }).target,
      "bin/x",
    );
  });

  it("never accepts anything that leads outside, whatever comes in whatever order", () => {
    const part = fc.constantFrom("a", "b", "c", "..", ".", "");
    const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((p) => p.join("/"));
    const any = fc.record({
      name: fc.oneof(
        path,
        path.map((p) => `/${p}`),
      ),
      type: fc.constantFrom("file", "directory", "symlink", "link", "fifo"),
      size: fc.integer({ min: 0, max: 50 }),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      linkname: path,
    });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 12 }), (entries) => {
        const guard = new ArchiveGuard(limits);
        const accepted: Exclude<Verdict, { do: "skip" | "refuse" }>[] = [];
        for (const e of entries) {
          const verdict = guard.check(e);
          if (verdict.do !== "refuse" && verdict.do !== "skip") accepted.push(verdict);
        }
        for (const v of accepted) {
          assert.ok(!v.path.startsWith("/") && !v.path.split("/").includes(".."), v.path);
          assert.equal(posix.normalize(v.path), v.path);
        }
        // A model of the disk: following any accepted symlink, over all others, stays inside, if the guard says so.
        if (guard.finish() !== undefined) return;
        const links = new Map(accepted.flatMap((v) => (v.do === "symlink" ? [[v.path, v.target] as const] : [])));
        for (const path of links.keys()) assert.ok(inside(path, links), path);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Follows a path as the kernel would, written another way than the guard: recursively, from the parent on. */
function inside(path: string, links: ReadonlyMap<string, string>): boolean {
  let budget = 200;
  const walk = (base: string[], rest: string[]): string[] | undefined => {
    if (--budget < 0) return []; // a loop
    const [head, ...tail] = rest;
    if (head === undefined) return base;
    if (head === "" || head === ".") return walk(base, tail);
    if (head === "..") return base.length === 0 ? undefined : walk(base.slice(0, -1), tail);
    const here = [...base, head];
    const target = links.get(here.join("/"));
    if (target === undefined) return walk(here, tail);
    const at = walk(base, target.split("/"));
    return at === undefined ? undefined : walk(at, tail);
  };
  return walk([], path.split("/")) !== undefined;
}
