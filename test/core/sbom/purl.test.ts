import assert from "node:assert/strict";
import fc from "fast-check";
import { purl, pypiName } from "../../../core/sbom/purl.ts";

describe("purl", () => {
  it("encodes what would be read as a part's end", () => {
    assert.equal(purl({ type: "npm", namespace: "@types", name: "node", version: "24" }), "pkg:npm/%40types/node@24");
    assert.equal(
      purl({
        type: "deb",
        namespace: "debian",
        name: "g++",
        version: "4:12.2.0-3",
        qualifiers: { arch: "amd64", a: "" },
      }),
      "pkg:deb/debian/g%2B%2B@4:12.2.0-3?arch=amd64",
    );
    assert.equal(purl({ type: "golang", namespace: "golang.org/x", name: "sys" }), "pkg:golang/golang.org/x/sys");
  });

  it("keeps every name and version apart, whatever stands in them", () => {
    const text = fc.string({ minLength: 1, unit: "binary" });
    fc.assert(
      fc.property(text, text, (name, version) => {
        const parts = /^pkg:x\/([^/@?#]+)@([^/@?#]+)$/.exec(purl({ type: "x", name, version }));
        assert.deepEqual(parts?.slice(1).map(decodeURIComponent), [name.toWellFormed(), version.toWellFormed()]);
      }),
    );
  });

  it("knows a Python package by any of its spellings", () => {
    assert.deepEqual(
      ["Pydantic_Core", "pydantic.core", "pydantic--core"].map(pypiName),
      Array(3).fill("pydantic-core"),
    );
  });
});
