import assert from "node:assert/strict";
import { describeFinding, type Finding, formatFinding, sortFindings } from "../../core/finding.ts";

const finding: Finding = {
  rule: "size/budget",
  severity: "warning",
  subject: "worker",
  message: "expected at most 5 MB, found 6 MB",
  fix: "make it smaller",
  where: { file: "images/worker/image.ts", line: 7 },
};

describe("finding", () => {
  it("is two lines of text: what, then what to do", () => {
    assert.equal(
      formatFinding(finding),
      "warning: worker: expected at most 5 MB, found 6 MB [size/budget] (images/worker/image.ts:7)\n  fix: make it smaller",
    );
  });

  it("leaves its severity to a log that writes one itself", () => {
    assert.equal(`warning: ${describeFinding(finding)}`, formatFinding(finding));
  });

  it("stands in one order, errors first", () => {
    const error: Finding = { ...finding, severity: "error", subject: "zebra" };
    const other: Finding = { ...finding, subject: "gateway" };
    assert.deepEqual(sortFindings([finding, error, other]), [error, other, finding]);
  });
});
