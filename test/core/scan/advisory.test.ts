import assert from "node:assert/strict";
import { vulnerabilitiesOf } from "../../../core/scan/advisory.ts";
import { ratingOfScore } from "../../../core/scan/severity.ts";
import { recorded } from "./fixture.ts";

describe("vulnerabilitiesOf", () => {
  it("reads osv-scanner's answer: one for each group, by the name that people know, with its fixes in this release", () => {
    assert.deepEqual(
      recorded().map((v) => [v.package.name, v.id, v.rating, v.score ?? "-", v.fixed.join(" "), v.summary]),
      [
        ["bash", "CVE-0000-2002", "low", "-", "", "bash does what it is told."],
        ["glibc", "CVE-0000-2004", "critical", "9.1", "", "glibc, no fix yet."],
        ["jinja2", "CVE-0000-1001", "critical", "9.8", "3.1.6", "Jinja2 sandbox breakout"],
        ["left-pud", "MAL-0000-4001", "critical", "-", "", "Malicious code in left-pud (npm)"],
        ["ms", "CVE-0000-4002", "medium", "-", "2.1.4", "ms is slow on long texts"],
        ["openssl", "CVE-0000-2001", "high", "7.5", "3.0.16-1~deb12u1", "OpenSSL reads too far."],
        ["stdlib", "CVE-0000-3001", "unknown", "-", "1.26.9", "net/http waits for ever"],
      ],
    );
  });

  it("keeps every name, so that any of them can be ignored", () => {
    const jinja = recorded().find((v) => v.package.name === "jinja2");
    assert.deepEqual(jinja?.names, ["CVE-0000-1001", "GHSA-test-0000-0001", "PYSEC-0000-1"]);
  });

  it("rates by Ubuntu's word where there is no score", () => {
    const about = { ecosystem: "Ubuntu:22.04:LTS", name: "curl", version: "7.81.0-1" };
    const record = { id: "UBUNTU-CVE-0000-1", severity: [{ type: "Ubuntu", score: "negligible" }] };
    const [found] = vulnerabilitiesOf({ package: about, groups: [{ ids: [record.id] }], vulnerabilities: [record] });
    assert.deepEqual([found?.id, found?.rating], ["UBUNTU-CVE-0000-1", "low"]);
  });
});

describe("ratingOfScore", () => {
  it("follows CVSS' bands", () => {
    const scores = ["10.0", "9.0", "8.9", "7.0", "6.9", "4.0", "3.9", "0.1", "0.0", "", "?"];
    assert.deepEqual(scores.map(ratingOfScore), [
      ...["critical", "critical", "high", "high", "medium", "medium", "low", "low"],
      ...["unknown", "unknown", "unknown"],
    ]);
  });
});
