import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readServicesState, type ServicesState, writeServicesState } from "../../../toolchain/services/state.ts";

const state: ServicesState = {
  buildkit: { address: "unix:///run/b.sock", platforms: ["linux/amd64", "linux/arm64"], native: ["linux/amd64"] },
  registry: { host: "localhost:5443", ca: "/tls/ca.pem", trust: "/tls/trust" },
  nodes: {},
};

describe("services.json", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-state-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("is read back as it was written, by its owner alone", async () => {
    await writeServicesState(folder, state);
    assert.deepEqual(await readServicesState(folder), state);
    assert.equal((await stat(join(folder, "services.json"))).mode & 0o777, 0o600);
  });

  it("counts as absent when it is damaged or from another version", async () => {
    assert.equal(await readServicesState(folder), undefined);
    for (const text of [
      "",
      "{",
      "[]",
      '{"registry":{"host":"evil.example:443"}}',
      JSON.stringify({ ...state, nodes: 1 }),
    ]) {
      await writeFile(join(folder, "services.json"), text);
      assert.equal(await readServicesState(folder), undefined, text);
    }
  });
});
