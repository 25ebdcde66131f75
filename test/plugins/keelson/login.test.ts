import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeLogin } from "../../../plugins/keelson/login.ts";

describe("writeLogin", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "keelson login "));
    mkdirSync(join(dir, "own"));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
  });
  const login = { host: "ghcr.io", username: "ada", password: "canary-hunter2" };
  const write = () => writeLogin(login, "ghcr.io", join(dir, "made"), { DOCKER_CONFIG: join(dir, "own") });
  const made = () => JSON.parse(readFileSync(join(dir, "made/config.json"), "utf8"));

  it("gives buildx a file that nobody else reads, and nothing but its path", async () => {
    assert.deepEqual(await write(), { DOCKER_CONFIG: join(dir, "made") });
    assert.equal(statSync(join(dir, "made")).mode & 0o777, 0o700);
    assert.equal(statSync(join(dir, "made/config.json")).mode & 0o777, 0o600);
    assert.equal(Buffer.from(made().auths["ghcr.io"].auth, "base64").toString(), "ada:canary-hunter2");
  });

  it("keeps the user's other logins, and lets nothing stand before the stack's", async () => {
    const own = {
      auths: { "docker.io": { auth: "x" }, "ghcr.io": { auth: "old" } },
      credHelpers: { "ghcr.io": "gh", "eu.gcr.io": "gcloud" },
      credsStore: "desktop",
      HttpHeaders: { a: "b" },
    };
    writeFileSync(join(dir, "own/config.json"), JSON.stringify(own));
    await write();
    const { auths, credHelpers, credsStore, HttpHeaders } = made();
    assert.deepEqual(Object.keys(auths), ["docker.io", "ghcr.io"]);
    assert.notEqual(auths["ghcr.io"].auth, "old");
    assert.deepEqual([credHelpers, credsStore, HttpHeaders], [{ "eu.gcr.io": "gcloud" }, undefined, { a: "b" }]);
  });

  it("writes nothing where the stack has no login", async () => {
    assert.deepEqual(await writeLogin({ host: "ghcr.io" }, "ghcr.io", join(dir, "made")), {});
    assert.ok(!existsSync(join(dir, "made")));
  });

  it("names a config that can't be read, and not what stands in it", async () => {
    writeFileSync(join(dir, "own/config.json"), "canary {");
    await assert.rejects(
      write(),
      (error: Error) => /config\.json is not JSON/.test(error.message) && !/canary/.test(error.message),
    );
  });
});
