import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../config/diagnostics.ts";
import { loadPlan } from "../../config/load.ts";
import { engineStackConfig, parseStackConfig } from "../../config/stack.ts";

const INDEX = "https://wheels.example.org/simple/";
const findings = (wheelhouse: unknown): string[] => {
  try {
    parseStackConfig({ wheelhouse }, "Pulumi.test.yaml");
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.findings.map((f) => `${f.subject}: ${f.message}`);
  }
  return [];
};

describe("keelson:wheelhouse", () => {
  it("is an index, with or without a login, or a volume", () => {
    const password = { secure: "v1:x" };
    const http = { index: "http://127.0.0.1:8080/simple/", username: "ci", password };
    for (const one of [{ index: INDEX }, { index: INDEX, username: "ci", password }, http, { volume: "wheels" }])
      assert.deepEqual(findings(one), [], JSON.stringify(one));
  });

  it("refuses what is neither, a login in the address, half a login, and a password in clear", () => {
    const password = { secure: "v1:x" };
    for (const [wrong, pattern] of [
      ["https://x", /expected/],
      [{ index: "wheels.example.org" }, /wheelhouse\.index: expected the address of an index/],
      [{ index: "https://ci:hunter2@wheels.example.org/simple/" }, /without a login/],
      [{ index: INDEX, username: "ci" }, /together, or neither/],
      [{ index: "http://wheels.example.org/simple/", username: "ci", password }, /https: a password/],
      [{ index: INDEX, username: "ci", password: "hunter2" }, /password: expected a secret/],
      [{ index: INDEX, volume: "wheels" }, /volume/],
    ] as const) {
      const found = findings(wrong).join("\n");
      assert.match(found, pattern, JSON.stringify(wrong));
      assert.doesNotMatch(found, /hunter2/);
    }
  });

  it("tells each mistake once", () => {
    for (const wrong of [
      { index: "wheels" },
      { volume: "wheels", username: "ci" },
      { index: INDEX, username: "ci" },
      {},
    ])
      assert.equal(findings(wrong).length, 1, findings(wrong).join("\n"));
  });

  it("drops the password's value where the engine hands it over decrypted", () => {
    const value = JSON.stringify({ index: INDEX, username: "ci", password: "hunter2" });
    const config = engineStackConfig({ "keelson:wheelhouse": value }, new Set(["keelson:wheelhouse"]), "test");
    assert.deepEqual(config.wheelhouse, { index: INDEX, username: "ci", password: { secure: "" } });
  });

  it("must be a volume of the stack, and changes no hash", async () => {
    const around = { host: "linux/amd64", revision: undefined } as const;
    const load = (more: Record<string, unknown>) => {
      const raw = { images: ["base-cpu-pydeps"], bases: "bootstrapped", ...more };
      return loadPlan(join(import.meta.dirname, "../.."), "test", parseStackConfig(raw, "Pulumi.test.yaml"), around);
    };
    const volumes = { wheels: { backend: "embedded" } };
    const [without, within, lost] = await Promise.all([
      load({}),
      load({ volumes, wheelhouse: { volume: "wheels" } }),
      load({ volumes, wheelhouse: { volume: "wheel" } }),
    ]);
    assert.deepEqual(within.findings, []);
    assert.deepEqual(within.plan.images, without.plan.images);
    assert.deepEqual(
      lost.findings.map((f) => `${f.rule} ${f.subject} ${f.fix}`),
      ['volume/unknown keelson:wheelhouse.volume write one of: wheels; did you mean "wheels"?'],
    );
  });
});
