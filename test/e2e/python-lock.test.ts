import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../core/error.ts";
import { lockPython, type PythonRequest } from "../../toolchain/python/lock.ts";
import { openStore, stageLock, storePath } from "../../toolchain/store.ts";

describe("locking Python requirements", function () {
  this.timeout(300_000);
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-python-"));
  });
  after(() => rm(folder, { recursive: true }));

  const request = (requirements: string, more: Partial<PythonRequest> = {}): PythonRequest => ({
    requirements,
    file: "requirements.txt",
    python: "3.11",
    platforms: ["linux/amd64", "linux/arm64"],
    installed: {},
    store: openStore(join(folder, "store")),
    ...more,
  });

  it("gives one wheel of a package for all platforms, or one for each, and the pins that pip checks", async () => {
    const { artifacts, pins } = await lockPython(request("websockets==15.0.1\nidna==3.10\n"));
    assert.deepEqual(
      artifacts.map((a) => [a.name, a.version, a.platform]),
      [
        ["idna", "3.10", undefined],
        ["websockets", "15.0.1", "linux/amd64"],
        ["websockets", "15.0.1", "linux/arm64"],
      ],
    );
    assert.match(
      pins.arm64 ?? "",
      /^idna==3\.10 --hash=sha256:[0-9a-f]{64}\nwebsockets==15\.0\.1 --hash=sha256:[0-9a-f]{64}\n$/,
    );
    assert.notEqual(pins.arm64, pins.amd64);
    const store = openStore(join(folder, "store"));
    for (const artifact of artifacts) assert.equal((await readFile(storePath(artifact, store))).length, artifact.size);
    await stageLock({ artifacts }, "linux/arm64", join(folder, "staged"), store);
  });

  it("keeps what the images below have, and locks it no second time", async () => {
    const { artifacts } = await lockPython(request("httpx==0.27.0\n", { installed: { idna: "3.7", anyio: "4.4.0" } }));
    const names = artifacts.map((a) => a.name);
    assert.ok(names.includes("httpx") && names.includes("h11"));
    assert.ok(!names.includes("idna") && !names.includes("anyio"));
  });

  it("takes what wins over what packages ask for", async () => {
    // httpx 0.27.0 wants httpcore 1.*.
    const { artifacts } = await lockPython(request("httpx==0.27.0\n", { overrides: ["httpcore==0.18.0"] }));
    assert.equal(artifacts.find((a) => a.name === "httpcore")?.version, "0.18.0");
  });

  it("says what can't be resolved, in the resolver's words", async () => {
    await assert.rejects(
      lockPython(request("idna==3.10\nidna==3.7\n")),
      (error) =>
        error instanceof UserError &&
        /requirements\.txt can't be resolved for linux\/amd64: .*idna/s.test(error.message),
    );
    await assert.rejects(lockPython(request("keelson-has-no-such-package==1\n")), UserError);
  });
});
