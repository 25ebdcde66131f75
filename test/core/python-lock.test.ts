import assert from "node:assert/strict";
import type { Artifact } from "../../core/artifact.ts";
import { type PythonLockFiles, pythonLockFindings } from "../../core/python-lock.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);
const wheel = (name: string, version: string, hash: string, platform?: "linux/amd64" | "linux/arm64"): Artifact => ({
  file: `wheels/${name}-${version}.whl`,
  source: `pypi:${name}-${version}.whl@${name}==${version}`,
  integrity: `sha256-${hash}`,
  size: 1,
  name,
  version,
  ...(platform === undefined ? {} : { platform }),
});
const files = (over: Partial<PythonLockFiles> = {}): PythonLockFiles => ({
  requirements: { file: "requirements.txt", text: "numpy==2.4.6\nidna\nstarlette\n" },
  pins: {
    amd64: {
      file: "requirements.amd64.lock",
      text: `idna==3.10 --hash=sha256:${A}\nnumpy==2.4.6 --hash=sha256:${A}\n`,
    },
    arm64: {
      file: "requirements.arm64.lock",
      text: `idna==3.10 --hash=sha256:${A}\nnumpy==2.4.6 --hash=sha256:${B}\n`,
    },
  },
  lock: {
    file: "packages.lock.json",
    artifacts: [
      wheel("idna", "3.10", A),
      wheel("numpy", "2.4.6", A, "linux/amd64"),
      wheel("numpy", "2.4.6", B, "linux/arm64"),
    ],
  },
  below: { starlette: "1.10.0" },
  ...over,
});
const told = (over: Partial<PythonLockFiles>) =>
  pythonLockFindings(files(over)).map((f) => `${f.where?.file}:${f.where?.line} ${f.rule} ${f.message}`);

describe("an image's Python locks", () => {
  it("belong together, platform by platform, on top of the images below", () => {
    assert.deepEqual(pythonLockFindings(files()), []);
  });

  it("name the requirement that a lock no longer holds, with its line", () => {
    const found = told({ requirements: { file: "requirements.txt", text: "# why\nnumpy==2.3.0\nscipy\n" } });
    assert.deepEqual(found, [
      "requirements.txt:2 python-lock/stale wants numpy 2.3.0, where requirements.amd64.lock has 2.4.6",
      "requirements.txt:3 python-lock/stale scipy is not in requirements.amd64.lock",
      "requirements.txt:2 python-lock/stale wants numpy 2.3.0, where requirements.arm64.lock has 2.4.6",
      "requirements.txt:3 python-lock/stale scipy is not in requirements.arm64.lock",
    ]);
  });

  it("name a hash that is not the fetched wheel's, with line, found and allowed", () => {
    const { lock } = files();
    const found = told({ lock: { ...lock, artifacts: [wheel("idna", "3.10", B), ...lock.artifacts.slice(1)] } });
    assert.equal(found.length, 2);
    assert.equal(
      found[0],
      `requirements.amd64.lock:1 python-lock/hash has idna 3.10, sha256-${A}, where packages.lock.json has 3.10, sha256-${B}`,
    );
  });

  it("name a lock that is empty or has gone", () => {
    const { pins } = files();
    const found = told({ pins: { ...pins, arm64: { file: "requirements.arm64.lock", text: "" } } });
    assert.deepEqual(found, [
      "requirements.txt:1 python-lock/stale numpy is not in requirements.arm64.lock",
      "requirements.txt:2 python-lock/stale idna is not in requirements.arm64.lock",
    ]);
  });
});
