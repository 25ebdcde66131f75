import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDockerfile } from "../../core/dockerfile.ts";
import type { GateSettings } from "../../core/gate-settings.ts";
import type { HadolintHit } from "../../core/hadolint.ts";
import { judgeDockerfile } from "../../gates/dockerfiles.ts";
import { hadolintObstacle, OFF } from "../../gates/hadolint.ts";

const hit = (code: string, level: HadolintHit["level"] = "warning", line = 3): HadolintHit => ({
  ...{ code, level, line, message: `what ${code} says` },
});
const judge = (hits: readonly HadolintHit[], settings?: GateSettings, text = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n") =>
  judgeDockerfile(
    { name: "app", dockerfile: parseDockerfile(text, "images/app/Dockerfile"), hadolint: hits },
    settings,
  );

describe("the hadolint gate", () => {
  it("gives each rule its own severity, file and line", () => {
    const found = judge([hit("DL3004", "error", 7), hit("SC2046"), hit("DL3059", "info"), hit("DL3049", "style")]);
    assert.deepEqual(
      found.map(({ rule, severity, where }) => [rule, severity, where?.line]),
      [
        ["hadolint/DL3004", "error", 7],
        ["hadolint/SC2046", "warning", 3],
        ["hadolint/DL3049", "info", 3],
        ["hadolint/DL3059", "info", 3],
      ],
    );
    assert.equal(found[0]?.where?.file, "images/app/Dockerfile");
    assert.match(found[0]?.fix ?? "", /hadolint\/wiki\/DL3004; or allow hadolint\/DL3004 in keelson:gates/);
    assert.match(found[1]?.fix ?? "", /shellcheck\.net\/wiki\/SC2046/);
  });

  it("takes severities and allowances from the stack", () => {
    const hits = [hit("DL3004", "error"), hit("SC2046")];
    const rules = (settings: GateSettings) => judge(hits, settings).map((f) => `${f.severity} ${f.rule}`);
    assert.deepEqual(rules({ severity: { hadolint: "off" } }), []);
    assert.deepEqual(rules({ severity: { hadolint: "info", "hadolint/SC2046": "error" } }), [
      "error hadolint/SC2046",
      "info hadolint/DL3004",
    ]);
    const allow = [{ rule: "hadolint/DL3004", subject: "app", reason: "a build stage" }];
    assert.deepEqual(rules({ allow }), ["warning hadolint/SC2046"]);
  });

  it("leaves out what other gates hold better, unless the stack asks for it by name", () => {
    assert.deepEqual(judge(Object.keys(OFF).map((code) => hit(code))), []);
    const found = judge([hit("DL3008"), hit("DL3009")], {
      severity: { hadolint: "error", "hadolint/DL3008": "warning" },
    });
    assert.deepEqual(
      found.map((f) => `${f.severity} ${f.rule}`),
      ["warning hadolint/DL3008"],
    );
  });

  it("says each rule that is off, and why, in the documentation", () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/gates.md"), "utf8");
    for (const code of Object.keys(OFF)) assert.ok(page.includes(code), code);
  });

  it("tells of a file that hadolint can't read, unless the builder can't either", () => {
    const [found, ...others] = judge([hit("DL1000", "error")]);
    assert.equal(found?.severity, "warning");
    assert.match(found?.message ?? "", /checked nothing of the file/);
    assert.deepEqual(others, []);
    assert.deepEqual(judge([hit("DL1000", "error")], {}, "FROM x\nRUNX foo\n"), []);
  });

  it("tells of a hadolint that can't be had in one finding", () => {
    assert.deepEqual(hadolintObstacle({ hits: new Map() }), []);
    const found = hadolintObstacle({ hits: new Map(), obstacle: { message: "not here", fix: "get it" } });
    assert.deepEqual(found, [
      { rule: "hadolint/missing", severity: "warning", subject: "hadolint", message: "not here", fix: "get it" },
    ]);
  });
});
