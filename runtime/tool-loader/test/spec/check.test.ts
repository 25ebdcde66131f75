import assert from "node:assert/strict";
import { LoaderError } from "../../src/error.ts";
import { waysTo } from "../../src/load/sources.ts";
import { catalogue } from "../../src/spec/catalogue.ts";
import { parseSpecs } from "../../src/spec/check.ts";
import { directoryOf, timeoutOf } from "../../src/spec/tool-spec.ts";
import { shellTool } from "../support.ts";

const sha = `sha256:${"a".repeat(64)}`;

function mistakes(input: unknown): string[] {
  try {
    parseSpecs(input);
  } catch (error) {
    assert.ok(error instanceof LoaderError);
    return error.message
      .split("\n")
      .slice(1)
      .map((line) => line.replace(/^ {2}- /, ""));
  }
  return [];
}

describe("parseSpecs", () => {
  it("takes a spec as it was first written down, at an exact version", () => {
    const [spec] = parseSpecs([
      {
        name: "ck-search",
        version: "0.8.1",
        installCmd: ["cargo", "install", "ck-search"],
        verifyCmd: "ck --version",
        priority: "deferred",
        estimatedTime: 300,
      },
    ]);
    assert.equal(spec?.estimatedTime, 300);
    assert.deepEqual(spec?.requires, []);
    assert.equal(spec && directoryOf(spec), "ck-search");
    assert.equal(spec && timeoutOf(spec), 1500);
  });

  it("tells all mistakes of all specs at once", () => {
    const found = mistakes([
      { ...shellTool("one"), version: "latest", priority: "soon" },
      { ...shellTool("two"), installCmd: "cargo install two" },
      { ...shellTool("three"), requires: ["three", "nothing"], bin: { x: "../../etc/passwd" } },
      "four",
    ]);
    assert.ok(found.some((m) => m.startsWith("one.version: expected an exact version")));
    assert.ok(found.some((m) => m.startsWith("one.priority")));
    assert.ok(found.some((m) => m.startsWith("two.installCmd")));
    assert.ok(found.some((m) => m.startsWith("three.bin.x: expected a path inside the tool")));
    assert.ok(found.some((m) => m.startsWith("tool 4")));
  });

  it("says what is expected, what was found, and which keys there are", () => {
    const found = mistakes([
      { ...shellTool("a"), priority: "defered", estimatedTime: -1, installCmd: "true", verifyCmd: "", plattforms: [] },
      { ...shellTool("b"), fallbacks: [{ installCmd: ["true"], require: [] }], platforms: [], size: "1 GB" },
      { ...shellTool("c"), bin: { "../c": "bin/c" }, prebuilt: { "linux/riscv64": "https://example.org/c" } },
      {},
    ]);
    assert.deepEqual(found.slice(0, 4), [
      'a.installCmd: expected a list, found "true"',
      'a.verifyCmd: expected a text that is not empty, found ""',
      'a.priority: expected immediate, deferred or on-demand, found "defered"; did you mean "deferred"?',
      "a.estimatedTime: expected more than 0, found -1",
    ]);
    assert.match(found[4] ?? "", /^a\.plattforms: unknown key, expected one of name, .*; did you mean "platforms"\?$/);
    assert.ok(found.includes("b.platforms: expected at least 1 entry, found an empty list"));
    assert.ok(found.includes('b.size: expected a number, found "1 GB"'));
    assert.ok(found.some((m) => m.startsWith("b.fallbacks.0.require: unknown key, ") && m.endsWith('"requires"?')));
    assert.ok(found.includes("c.prebuilt.linux/riscv64: unknown key, expected one of linux/amd64, linux/arm64"));
    assert.ok(found.some((m) => m.startsWith("c.bin.../c: expected letters, ") && m.endsWith('found "../c"')));
    assert.ok(found.includes("tool 4.name: expected a text, found nothing"));
    for (const mistake of found) assert.doesNotMatch(mistake, /Invalid|Too small|received|Unrecognized/);
  });

  it("counts only the tools that were written, and not those that it knows", () => {
    assert.throws(
      () => parseSpecs([shellTool("x"), 7], "tools.json", [shellTool("known"), shellTool("more")]),
      /tool 2: expected an object, found 7/,
    );
  });

  it("tells needs of tools that are wrong elsewhere too", () => {
    const found = mistakes([
      { ...shellTool("a"), version: "latest", requires: ["a", "bb"] },
      { ...shellTool("bbb"), size: 0, fallbacks: [{ installCmd: ["true"], requires: ["c"] }] },
      { ...shellTool("c"), requires: ["bbb"] },
    ]);
    assert.ok(found.includes("a.requires: needs itself"));
    assert.ok(found.includes('a.requires: there is no tool "bb"; did you mean "bbb"?'));
    assert.ok(found.includes("bbb needs c needs bbb: a circle"));
  });

  it("finds tools named twice, needing themselves, needing what is not there, and circles", () => {
    const found = mistakes([
      shellTool("a", { requires: ["b"] }),
      shellTool("b", { requires: ["c"] }),
      shellTool("c", { requires: ["a"] }),
      shellTool("self", { requires: ["self"] }),
      shellTool("lost", { requires: ["nowhere"] }),
      shellTool("twice"),
      shellTool("twice"),
    ]);
    assert.deepEqual(found.toSorted(), [
      "a needs b needs c needs a: a circle",
      'lost.requires: there is no tool "nowhere"',
      "self.requires: needs itself",
      "twice: is named 2 times",
    ]);
  });

  it("wants a checksum for every prebuilt archive, and some way to every platform", () => {
    const found = mistakes([
      shellTool("naked", { prebuilt: { "linux/amd64": "https://example.org/x.tar.gz" } }),
      shellTool("alone", { checksum: { "linux/arm64": sha } }),
      shellTool("no-way", { installCmd: [], platforms: ["linux/arm64"] }),
      shellTool("http-only", { prebuilt: { "linux/amd64": "file:///etc/passwd" }, checksum: { "linux/amd64": sha } }),
    ]);
    assert.ok(found.includes("naked.checksum: linux/amd64 has a prebuilt archive and no checksum"));
    assert.ok(found.includes("alone.prebuilt: linux/arm64 has a checksum and nothing to check"));
    assert.ok(found.includes("no-way.installCmd: is empty, and linux/arm64 has no prebuilt archive"));
    assert.ok(found.some((m) => m.startsWith("http-only.prebuilt.linux/amd64")));
  });

  it("refuses names that are paths, and two tools in one place", () => {
    assert.ok(mistakes([{ ...shellTool("x"), name: "../x" }])[0]?.startsWith("../x.name"));
    assert.ok(mistakes([{ ...shellTool("x"), name: ".." }]).length > 0);
    assert.ok(mistakes([shellTool("x", { directory: "bin" })]).length > 0);
    assert.deepEqual(
      mistakes([
        shellTool("x", { directory: "d", bin: { run: "x" } }),
        shellTool("y", { directory: "d", bin: { run: "y" } }),
      ]),
      ['x, y: share the directory "d"', 'x, y: share the command "run"'],
    );
  });

  it("reads no list as one mistake", () => {
    assert.throws(() => parseSpecs({ tools: [] }), LoaderError);
  });
});

describe("catalogue", () => {
  const specs = parseSpecs(catalogue());
  const named = new Map(specs.map((s) => [s.name, s]));

  it("has the tools of 000 with its estimates, priorities and directories", () => {
    const told = ["ck-search", "beads_rust", "sentence-transformers", "patchright"].map((n) => {
      const spec = named.get(n);
      return [n, spec?.estimatedTime, spec?.priority];
    });
    assert.deepEqual(told, [
      ["ck-search", 300, "deferred"],
      ["beads_rust", 120, "deferred"],
      ["sentence-transformers", 180, "deferred"],
      ["patchright", 120, "deferred"],
    ]);
    for (const name of ["all-MiniLM-L6-v2", "patchright-browser"]) assert.equal(named.get(name)?.priority, "on-demand");
    for (const name of ["node", "clawdbot", "yq", "jq", "git"]) assert.equal(named.get(name)?.priority, "immediate");
    const directories = new Set(specs.map(directoryOf));
    for (const directory of ["rust", "ck", "beads", "python", "browser"])
      assert.ok(directories.has(directory), directory);
  });

  it("needs rust only where there is no prebuilt binary", () => {
    const ck = named.get("ck-search");
    assert.ok(ck);
    const ways = (platform: "linux/amd64" | "linux/arm64") => waysTo(ck, platform).map((w) => [w.requires, w.compiles]);
    const [withoutRust, compiled] = [
      [[], false],
      [["rust"], true],
    ];
    // Prebuilt; on a newer C library; compiled.
    assert.deepEqual(ways("linux/amd64"), [withoutRust, withoutRust, compiled]);
    assert.deepEqual(ways("linux/arm64"), [withoutRust, compiled]);
  });

  it("pins every Python package by hash, torch to its CPU build", () => {
    const files = named.get("sentence-transformers")?.files ?? {};
    for (const line of Object.values(files).join("").trim().split("\n"))
      assert.match(line, /^[a-z0-9.-]+==\S+( --hash=sha256:[0-9a-f]{64})+$/);
    assert.match(files["torch.txt"] ?? "", /^torch==[\d.]+\+cpu /);
    assert.doesNotMatch(files["requirements.txt"] ?? "", /nvidia|cuda|triton/);
  });
});
