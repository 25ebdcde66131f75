import assert from "node:assert/strict";
import type { Finding } from "../../core/finding.ts";
import { applySettings, type GateSettings, withAllowances } from "../../core/gate-settings.ts";

const finding = (rule: string, subject: string): Finding => ({
  rule,
  subject,
  severity: "error",
  message: "m",
  fix: "f",
});
const kept = (rule: string, subject: string, settings: GateSettings) =>
  applySettings([finding(rule, subject)], settings).map((f) => f.severity);
const allow = (rule: string, subject: string): GateSettings => ({ allow: [{ rule, subject, reason: "r" }] });

describe("applySettings", () => {
  it("takes severities by rule before those by gate", () => {
    assert.deepEqual(kept("user/root", "a", { severity: { user: "off", "user/root": "info" } }), ["info"]);
    assert.deepEqual(kept("user/name", "a", { severity: { user: "off" } }), []);
    assert.deepEqual(kept("user/name", "a", {}), ["error"]);
  });

  it("allows a rule or a gate, for an image, a path in it or a pattern", () => {
    assert.deepEqual(kept("secret/text", "app:/etc/x", allow("secret/text", "app")), []);
    assert.deepEqual(kept("secret/text", "app:/etc/x", allow("secret", "app:/etc/x")), []);
    assert.deepEqual(kept("secret/text", "app:/etc/x", allow("secret", "app:/etc/*")), []);
    assert.deepEqual(kept("secret/text", "app:/etc/x", allow("secret", "*:/etc/x")), []);
  });

  it("allows nothing else", () => {
    assert.deepEqual(kept("secret/text", "app:/etc/x", allow("secret/file", "app")), ["error"]);
    assert.deepEqual(kept("secret/text", "app:/etc/x", allow("secret", "ap")), ["error"]);
    assert.deepEqual(kept("secret/text", "app2", allow("secret", "app")), ["error"]);
    assert.deepEqual(kept("secret/text", "app:/etc/xy", allow("secret", "app:/etc/x.")), ["error"]);
  });

  it("sorts as reports do", () => {
    const all = applySettings([finding("b/x", "b"), finding("a/x", "b"), finding("c/x", "a")], {
      severity: { "c/x": "info" },
    });
    assert.deepEqual(
      all.map((f) => f.rule),
      ["a/x", "b/x", "c/x"],
    );
  });
});

describe("withAllowances", () => {
  it("adds what an image lives with to the stack's settings, for that image alone", () => {
    const image = { name: "app", allow: [{ rule: "secret/text", path: "/lib/*.js", reason: "no secret" }] };
    const settings = withAllowances(allow("user", "other"), image);
    assert.deepEqual(kept("secret/text", "app:/lib/a.js", settings), []);
    assert.deepEqual(kept("secret/text", "app:/etc/a.js", settings), ["error"]);
    assert.deepEqual(kept("secret/text", "else:/lib/a.js", settings), ["error"]);
    assert.deepEqual(kept("user/root", "other", settings), []);
    assert.equal(withAllowances(settings, { name: "app" }), settings);
  });
});
