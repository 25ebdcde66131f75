import assert from "node:assert/strict";
import { parseAnswer } from "../../../toolchain/scan/answer.ts";
import { PACKAGES, recordedText } from "../../core/scan/fixture.ts";

describe("parseAnswer", () => {
  it("reads what osv-scanner 2.4.0 wrote", () => {
    const answer = parseAnswer(recordedText(), PACKAGES.length);
    const asked = PACKAGES.map(({ images: _, ...rest }) => rest);
    assert.deepEqual(
      answer.map((entry) => entry.package),
      asked.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    );
  });

  it("takes no answer that passes over a package, and none of another form", () => {
    assert.throws(() => parseAnswer(recordedText(), PACKAGES.length + 1), /of 9 packages it answers for 8/);
    for (const text of ["", "[]", '{"results": {}}']) assert.throws(() => parseAnswer(text, 0), RangeError, text);
  });
});
