import assert from "node:assert/strict";
import { scanSchema } from "../../../config/scan.ts";
import { judgeVulnerabilities } from "../../../core/scan/judge.ts";
import { PACKAGES, recorded } from "./fixture.ts";

const judge = (policy: object = {}, today = "2026-11-22") =>
  judgeVulnerabilities(recorded(), PACKAGES, scanSchema.parse(policy), today);
const lines = (policy?: object, today?: string) =>
  judge(policy, today).findings.map((f) => `${f.severity} ${f.rule} ${f.subject}`);

describe("judgeVulnerabilities", () => {
  it("fails on what is high or critical and can be mended, and tells the rest", () => {
    assert.deepEqual(lines(), [
      "error vulnerability/critical jinja2 3.1.4",
      "error vulnerability/critical left-pud 1.0.0",
      "error vulnerability/high openssl 3.0.15-1~deb12u1",
      "warning vulnerability/critical glibc 2.36-9+deb12u10",
      "warning vulnerability/medium ms 2.1.3",
      "warning vulnerability/unknown stdlib 1.26.8",
      "info vulnerability/low bash 5.2.15-2",
    ]);
  });

  it("says what it is, where it is and what to do", () => {
    const [jinja, , openssl, glibc] = judge().findings;
    assert.equal(jinja?.message, "CVE-0000-1001 (critical, 9.8): Jinja2 sandbox breakout; PyPI, in web");
    assert.equal(jinja?.fix, "take jinja2 3.1.6, or put it into keelson:scan.ignore with the reason");
    assert.match(openssl?.message ?? "", /Debian:12, in base, web, worker and 2 more$/);
    assert.match(glibc?.fix ?? "", /^no version has a fix yet/);
  });

  it("takes a stack's severities, and what it ignores by any name", () => {
    assert.deepEqual(
      lines({ severity: { critical: "off", high: "off", medium: "off", unknown: "off", low: "off" } }),
      [],
    );
    assert.equal(lines({ unfixed: "error" })[0], "error vulnerability/critical glibc 2.36-9+deb12u10");
    const ignore = [{ id: "PYSEC-0000-1", reason: "no templates from outside" }];
    assert.equal(lines({ ignore }).includes("error vulnerability/critical jinja2 3.1.4"), false);
    assert.equal(judge({ ignore }).ignored, 1);
  });

  it("ignores in one package or image alone where the entry says so", () => {
    const reason = "it speaks to nobody";
    const of = (entry: object) => judge({ ignore: [{ id: "CVE-0000-2001", reason, ...entry }] }).findings;
    assert.equal(of({ package: "bash" }).length, 7);
    assert.equal(of({ package: "openssl" }).length, 6);
    const left = of({ image: "base" }).find((f) => f.subject.startsWith("openssl"));
    assert.match(left?.message ?? "", /in web, worker, todo and 1 more$/);
  });

  it("ignores until the day that the entry names, and says then that it did", () => {
    const ignore = [{ id: "CVE-0000-1001", reason: "no templates from outside", until: "2027-03-01" }];
    assert.equal(lines({ ignore }, "2027-02-28").length, 6);
    const [jinja] = judge({ ignore }, "2027-03-01").findings;
    assert.match(jinja?.message ?? "", /in web; was ignored until 2027-03-01: no templates from outside$/);
  });
});
