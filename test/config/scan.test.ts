import assert from "node:assert/strict";
import { ConfigError } from "../../config/diagnostics.ts";
import { parseStackConfig } from "../../config/stack.ts";

const parse = (scan: unknown) => parseStackConfig({ scan }, "Pulumi.dev.yaml").scan;

describe("keelson:scan", () => {
  it("asks osv.dev's export and fails on high and critical, unless it says otherwise", () => {
    const { database, severity, unfixed, ignore } = parse({});
    assert.match(database, /^https:\/\/osv-vulnerabilities\./);
    assert.deepEqual(severity, {
      critical: "error",
      high: "error",
      medium: "warning",
      low: "info",
      unknown: "warning",
    });
    assert.deepEqual([unfixed, ignore], ["warning", []]);
    assert.deepEqual(parseStackConfig({}, "Pulumi.dev.yaml").scan, parse({}));
    assert.equal(parse({ severity: { high: "warning" } }).severity.critical, "error");
    assert.equal(parse({ database: "vendor/osv" }).database, "vendor/osv");
  });

  it("refuses what would ignore in silence, and a login in an address", () => {
    for (const wrong of [
      { ignore: [{ id: "CVE-2024-56201" }] },
      { ignore: [{ id: "CVE-2024-56201", reason: "" }] },
      { ignore: [{ id: "CVE-2024-56201", reason: "x", until: "next spring" }] },
      { ignore: [{ id: "*", reason: "x" }] },
      { severity: { serious: "error" } },
      { database: "https://ada:secret@osv.example.org" },
      { database: "ftp://osv.example.org" },
    ])
      assert.throws(() => parse(wrong), ConfigError, JSON.stringify(wrong));
  });
});
