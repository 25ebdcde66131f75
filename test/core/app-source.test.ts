import assert from "node:assert/strict";
import { nextFindings, pythonFindings } from "../../core/app-source.ts";

const HASH = `--hash=sha256:${"0".repeat(64)}`;
const next = (files: Readonly<Record<string, string>>) =>
  nextFindings({
    subject: "web",
    folder: "../web",
    files: Object.keys(files),
    texts: new Map(Object.entries(files)),
  }).map((f) => `${f.severity} ${f.rule}`);
const python = (files: Readonly<Record<string, string>>, app = "shop.main:app") =>
  pythonFindings({
    subject: "api",
    folder: "../api",
    files: Object.keys(files),
    texts: new Map(Object.entries(files)),
    app,
  });

describe("sources of a Next.js application", () => {
  const whole = { "package.json": "{}", "package-lock.json": "{}" };
  for (const [what, files, expected] of [
    [
      "are whole with a standalone server",
      { ...whole, "next.config.mjs": "export default { output: 'standalone' }" },
      [],
    ],
    ["need a standalone server", { ...whole, "next.config.js": "module.exports = {}" }, ["error source/standalone"]],
    ["need a config", whole, ["error source/standalone"]],
    ["need a lock", { "package.json": "{}" }, ["error source/lock"]],
    ["need a package.json", {}, ["error source/lock", "error source/lock"]],
  ] as const)
    it(what, () => assert.deepEqual(next(files), expected));
});

describe("sources of a Python application", () => {
  const lock = `a==1 \\\n    ${HASH} \\\n    ${HASH}\n    # via b\nb==2 ; python_version < '3.12' ${HASH}\n`;
  it("are whole with hashes, and with the module that serves", () => {
    assert.deepEqual(python({ "requirements.lock": lock, "shop/main.py": "" }), []);
    assert.deepEqual(python({ "requirements.lock": lock, "shop/main/__init__.py": "" }), []);
  });

  it("need the module, a lock, and a hash for each requirement", () => {
    const rules = (...of: Parameters<typeof python>) => python(...of).map((f) => f.rule);
    assert.deepEqual(rules({ "requirements.lock": lock }), ["source/app"]);
    assert.deepEqual(rules({ "shop/main.py": "" }), ["source/lock"]);
    const [loose] = python({ "requirements.lock": `${lock}c==3\nd>=4\n`, "shop/main.py": "" });
    assert.equal(loose?.rule, "source/hash");
    assert.match(loose?.message ?? "", /pins c==3, d>=4 by no hash/);
  });
});
