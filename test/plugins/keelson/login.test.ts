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
    assert.deepEqual(auths["docker.io"], { auth: "x" });
    assert.notEqual(auths["ghcr.io"].auth, "old");
    // An empty helper stands before the store of all logins: docker and BuildKit then read `auths`.
    assert.deepEqual([credHelpers["ghcr.io"], credHelpers["eu.gcr.io"]], ["", "gcloud"]);
    assert.deepEqual([credsStore, HttpHeaders], ["desktop", { a: "b" }]);
  });

  for (const host of ["docker.io", "index.docker.io", "registry-1.docker.io"])
    it(`gives the login of ${host} under the one key that BuildKit asks Docker Hub's for`, async () => {
      await writeLogin({ ...login, host }, host, join(dir, "made"), { DOCKER_CONFIG: join(dir, "own") });
      const { auth } = made().auths["https://index.docker.io/v1/"];
      assert.equal(Buffer.from(auth, "base64").toString(), "ada:canary-hunter2");
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
