import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findExecutable, parseVersion, versionOf } from "../../toolchain/executable.ts";

describe("parseVersion", () => {
  const cases: [string, string | undefined][] = [
    ["v3.259.0", "3.259.0"],
    ["buildkitd github.com/moby/buildkit v0.31.0 ", "0.31.0"],
    ["buildkitd github.com/moby/buildkit v0.12.5 bac3f2b673f3f9d33e79046008e7a38e856b3dc6", "0.12.5"],
    ["github.com/docker/buildx v0.35.0 ", "0.35.0"],
    ["github.com/docker/buildx v0.20.1-desktop.1 abc", "0.20.1"],
    ["runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev", "1.1.5"],
    ["/usr/bin/docker-registry github.com/docker/distribution 2.8.2+ds1", "2.8.2"],
    ["qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", "7.2.22"],
    ["mmdebstrap 1.3.5", "1.3.5"],
    ["skopeo version 1.9.3", "1.9.3"],
    ["v3.260.0-alpha.1", "3.260.0-alpha.1"],
    ["version 7.2", "7.2.0"],
    ["", undefined],
    ["unknown command", undefined],
  ];
  for (const [output, version] of cases) {
    it(`${JSON.stringify(output.slice(0, 40))} is ${version}`, () => assert.equal(parseVersion(output), version));
  }
});

describe("findExecutable", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson path "));
    for (const name of ["first", "second"]) mkdirSync(join(folder, name));
    writeFileSync(join(folder, "first", "saw"), "not executable", { mode: 0o644 });
    writeFileSync(join(folder, "second", "saw"), "#!/bin/sh\necho saw 4.5 >&2\n", { mode: 0o755 });
    mkdirSync(join(folder, "first", "adze"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const path = () => `:relative:${join(folder, "first")}:${join(folder, "second")}`;

  it("takes the first that can be executed, in a folder with spaces too", () => {
    assert.equal(findExecutable("saw", path()), join(folder, "second", "saw"));
  });
  it("takes Windows' programs by their ending, whatever calls them", () => {
    writeFileSync(join(folder, "second", "saw.exe"), "", { mode: 0o755 });
    assert.equal(findExecutable("saw", path(), "win32"), join(folder, "second", "saw.exe"));
    assert.equal(findExecutable("saw.exe", path(), "win32"), join(folder, "second", "saw.exe"));
    assert.equal(findExecutable("saw", path(), "darwin"), join(folder, "second", "saw"));
  });
  it("takes no folder for a program", () => assert.equal(findExecutable("adze", path()), undefined));
  it("takes absolute paths as they are", () => {
    assert.equal(findExecutable(join(folder, "second", "saw"), ""), join(folder, "second", "saw"));
    assert.equal(findExecutable(join(folder, "first", "saw"), ""), undefined);
  });
  it("asks for the version on either stream", async () => {
    assert.equal(await versionOf(join(folder, "second", "saw"), []), "4.5.0");
  });
  it("knows no version of what fails", async () => assert.equal(await versionOf("/bin/false", []), undefined));
  it("knows no version of what does not start", async () => {
    assert.equal(await versionOf(join(folder, "first", "saw"), []), undefined);
  });
});
