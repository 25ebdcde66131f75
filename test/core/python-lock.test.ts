import assert from "node:assert/strict";
import type { Artifact } from "../../core/artifact.ts";
import { type PinsFile, type PythonLockFiles, pinsFile, pythonLockFindings } from "../../core/python-lock.ts";

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
const pinned = (file: string, text: string, folder: PinsFile["folder"] = "wheels/"): PinsFile => ({
  file,
  text,
  folder,
});
const files = (over: Partial<PythonLockFiles> = {}): PythonLockFiles => ({
  requirements: { file: "requirements.txt", text: "numpy==2.4.6\nidna\nstarlette\n" },
  pins: {
    amd64: [pinned("requirements.amd64.lock", `idna==3.10 --hash=sha256:${A}\nnumpy==2.4.6 --hash=sha256:${A}\n`)],
    arm64: [pinned("requirements.arm64.lock", `idna==3.10 --hash=sha256:${A}\nnumpy==2.4.6 --hash=sha256:${B}\n`)],
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
    const found = told({ pins: { ...pins, arm64: [pinned("requirements.arm64.lock", "")] } });
    assert.deepEqual(found, [
      "requirements.txt:1 python-lock/stale numpy is not in requirements.arm64.lock",
      "requirements.txt:2 python-lock/stale idna is not in requirements.arm64.lock",
    ]);
  });

  describe("of packages that an image builds of their sources", () => {
    const sdist = { ...wheel("llama", "1.0", A), file: "sources/llama-1.0.tar.gz" };
    const { pins, lock } = files();
    const withSources = (text: string, artifacts: readonly Artifact[] = [...lock.artifacts, sdist]) =>
      told({
        requirements: { file: "requirements.txt", text: "numpy==2.4.6\nllama==1.0\n" },
        pins: { amd64: [...(pins.amd64 ?? []), pinned("requirements.sources.amd64.lock", text, "sources/")] },
        lock: { ...lock, artifacts },
      });

    it("stand in a lock of their own", () => {
      assert.equal(pinsFile("requirements.txt", "amd64", "sources"), "requirements.sources.amd64.lock");
      assert.deepEqual(withSources(`llama==1.0 --hash=sha256:${A}\n`), []);
    });

    it("are told where that is not what is fetched, or is a wheel's", () => {
      assert.match(
        withSources(`llama==1.0 --hash=sha256:${B}\n`).join(),
        /^requirements\.sources\.amd64\.lock:1 python-lock\/hash has llama 1\.0, sha256-b+, where packages\.lock\.json has 1\.0/,
      );
      assert.match(
        withSources(`llama==1.0 --hash=sha256:${A}\n`, [...lock.artifacts, wheel("llama", "1.0", A)]).join(),
        /sources\.amd64\.lock:1 .* has nothing of that name$/,
      );
      assert.deepEqual(withSources(""), [
        "requirements.txt:2 python-lock/stale llama is not in requirements.amd64.lock or requirements.sources.amd64.lock",
      ]);
    });
  });
});
