import assert from "node:assert/strict";
import fc from "fast-check";
import { checkPins, normaliseName, parsePins } from "../../core/requirements.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);

describe("Python locks", () => {
  it("are read in pip's format: comments, continued lines, extras, several hashes", () => {
    const text = [
      "# made by keelson lock",
      `numpy==2.4.6 --hash=sha256:${A}`,
      "uvicorn[standard]==0.54.0 \\",
      `    --hash=sha256:${A} \\`,
      `    --hash=sha256:${B}  # both platforms`,
      "",
    ].join("\n");
    assert.deepEqual(parsePins(text, "r.lock"), {
      pins: [
        { name: "numpy", version: "2.4.6", hashes: [A], line: 2 },
        { name: "uvicorn", version: "0.54.0", hashes: [A, B], line: 3 },
      ],
      findings: [],
    });
  });

  it("name each line that pip's --require-hashes would refuse, with what was found", () => {
    const text = `numpy==2.4.6\nfastapi>=0.100 --hash=sha256:${A}\nok==1 --hash=sha256:${A}\n-e .\nbad==1 --hash=md5:abc\n`;
    const { pins, findings } = parsePins(text, "images/x/requirements.amd64.lock");
    assert.deepEqual(
      pins.map((p) => p.name),
      ["ok"],
    );
    assert.deepEqual(
      findings.map((f) => [f.rule, f.where?.line]),
      [1, 2, 4, 5].map((line) => ["python-lock/pin", line]),
    );
    assert.match(findings[0]?.message ?? "", /expected a --hash=sha256:… for numpy==2.4.6/);
    assert.match(findings[1]?.message ?? "", /expected name==version .*found "fastapi>=0.100/);
  });

  it("are held against their requirements", () => {
    const { pins } = parsePins(
      `numpy==2.4.6 --hash=sha256:${A}\ntyping-extensions==4.16.0 --hash=sha256:${A}\n`,
      "lock",
    );
    const check = (text: string) => checkPins({ file: "requirements.txt", text }, { file: "lock", pins });
    assert.deepEqual(check("numpy==2.4.6\nTyping_Extensions>=4 ; python_version < '3.12'\n# none\n"), []);
    const findings = check("numpy==2.3.0\nscipy\n?\n");
    assert.deepEqual(
      findings.map((f) => [f.rule, f.where?.line, f.message]),
      [
        ["python-lock/stale", 1, "wants numpy 2.3.0, where lock has 2.4.6"],
        ["python-lock/stale", 2, "scipy is not in lock"],
        ["python-lock/requirement", 3, 'expected a requirement such as numpy==2.4.6, found "?"'],
      ],
    );
  });

  it("compare names as the index does", () => {
    for (const name of ["Typing_Extensions", "typing.extensions", "TYPING--extensions"])
      assert.equal(normaliseName(name), "typing-extensions");
  });

  it("never make the reader throw", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { pins, findings } = parsePins(text, "f");
        assert.ok(pins.length + findings.length <= text.split("\n").length);
      }),
    );
  });
});
