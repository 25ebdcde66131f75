import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostPlatform } from "../../../toolchain/platform.ts";
import { goObstacle, goSource } from "../../../toolchain/sources/go.ts";

describe("Go as a source", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson go "));
    writeFileSync(join(folder, "go.mod"), "module keelson/test\n\ngo 1.26.0\n");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function fakeGo(version: string, toolchain: string): string {
    const path = join(folder, "go");
    writeFileSync(path, `#!/bin/sh\necho ${version}\necho ${toolchain}\n`, { mode: 0o755 });
    return path;
  }

  const cases: [string, string, RegExp | undefined][] = [
    ["go1.26.8", "local", undefined],
    ["go1.26.0", "auto", undefined],
    ["go1.27rc1", "local", undefined],
    ["go1.25.3", "auto", undefined],
    ["go1.25.3", "local", /Go 1\.25\.3 is too old; install Go 1\.26\.0 or newer/],
    ["go1.19.8", "", /Go 1\.19\.8 is too old/],
    ["devel", "local", /Go 0\.0\.0 is too old/],
  ];
  for (const [version, toolchain, expected] of cases) {
    it(`${version} with GOTOOLCHAIN=${toolchain}: ${expected ? "can't" : "can"}`, async () => {
      const obstacle = await goObstacle(folder, fakeGo(version, toolchain));
      if (expected) assert.match(obstacle ?? "", expected);
      else assert.equal(obstacle, undefined);
    });
  }

  it("names what to install where there is none", async () => {
    assert.equal(await goObstacle(folder, undefined), "no Go on PATH; install Go 1.26.0 or newer");
  });

  it("has a key that changes with the recipe alone", () => {
    const build = { version: "1.2.3", module: "buildkit", package: "p", file: "f", minutes: 1, bytes: 1 };
    const key = (more = {}) => goSource({ ...build, ...more }).key?.();
    assert.match(key() ?? "", new RegExp(`^1\\.2\\.3-${hostPlatform}-[0-9a-f]{8}$`));
    assert.equal(key(), key({ minutes: 9, bytes: 9 }));
    assert.notEqual(key(), key({ set: { "p.Version": "1" } }));
    assert.notEqual(key(), key({ module: "pulumi" }));
    assert.notEqual(key(), key({ beside: { x: "toolchain/language-host/pulumi-language-nodejs" } }));
  });
});
