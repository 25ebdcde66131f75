import assert from "node:assert/strict";
import { coverageFindings, coveredPackages } from "../../../core/scan/coverage.ts";
import { PACKAGES } from "./fixture.ts";

const place = "https://osv.example.org";
const query = { packages: PACKAGES, uncovered: new Map([["weft", 2]]) };
const day = "2026-11-20";

describe("coverageFindings", () => {
  it("is one error where a database can't be had, whatever the others say", () => {
    const missing = new Map([
      ["Debian", "getaddrinfo ENOTFOUND osv.example.org"],
      ["npm", "getaddrinfo ENOTFOUND osv.example.org"],
    ]);
    const state = { place, missing, parts: [{ name: "Go", checked: day }] };
    const [error, ...rest] = coverageFindings({ ...query, uncovered: new Map() }, state);
    assert.deepEqual([error?.rule, error?.severity, rest], ["scan/database", "error", []]);
    assert.equal(
      error?.message,
      "https://osv.example.org can't be asked about Debian, npm (getaddrinfo ENOTFOUND osv.example.org): 5 of 8 packages are not looked up",
    );
    assert.deepEqual(
      coveredPackages(query, state).map((p) => p.ecosystem),
      ["Go", "Go", "PyPI"],
    );
  });

  it("warns of a database that could not be asked for a newer one, and of packages that none covers", () => {
    const state = { place, missing: new Map(), parts: [{ name: "Debian", checked: day, stale: "it answers 503" }] };
    assert.deepEqual(
      coverageFindings(query, state).map((f) => `${f.severity} ${f.rule} ${f.subject}`),
      ["warning scan/stale keelson:scan.database", "warning scan/uncovered weft"],
    );
    assert.match(coverageFindings(query, state)[0]?.message ?? "", /\(it answers 503\).* Debian of 2026-11-20$/);
  });

  it("says nothing where all is looked up in the newest", () => {
    const state = { place, missing: new Map(), parts: [{ name: "Debian", checked: day }] };
    assert.deepEqual(coverageFindings({ packages: PACKAGES, uncovered: new Map() }, state), []);
  });
});
