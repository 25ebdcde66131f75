import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dockerCredentials } from "../../oci/credentials.ts";
import { says } from "./double.ts";

describe("dockerCredentials", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson credentials "));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const env = () => ({ DOCKER_CONFIG: folder, PATH: `${folder}:/usr/bin:/bin` });
  const config = (value: unknown) =>
    writeFile(join(folder, "config.json"), typeof value === "string" ? value : JSON.stringify(value));
  const helper = async (script: string) => {
    await writeFile(join(folder, "docker-credential-test"), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, "docker-credential-test"), 0o755);
  };
  const encode = (text: string) => Buffer.from(text).toString("base64");

  it("gives nothing without a config or an entry", async () => {
    assert.equal(await dockerCredentials("ghcr.io", env()), undefined);
    await config({ auths: { "other.example": { auth: encode("a:b") } } });
    assert.equal(await dockerCredentials("ghcr.io", env()), undefined);
  });

  it("reads an entry, with colons in the password", async () => {
    await config({ auths: { "ghcr.io": { auth: encode("me:p:w") } } });
    assert.deepEqual(await dockerCredentials("ghcr.io", env()), { username: "me", password: "p:w" });
  });

  it("looks into the user's folder, whether the environment says which or not", async () => {
    await mkdir(join(folder, ".docker"));
    await writeFile(
      join(folder, ".docker/config.json"),
      JSON.stringify({ auths: { "ghcr.io": { auth: encode("a:b") } } }),
    );
    const found = { username: "a", password: "b" };
    assert.deepEqual(await dockerCredentials("ghcr.io", { HOME: folder }), found);
    const { HOME: before } = process.env;
    process.env.HOME = folder; // what os.homedir() goes by here
    try {
      assert.deepEqual(await dockerCredentials("ghcr.io", {}), found);
    } finally {
      if (before === undefined) delete process.env.HOME;
      else process.env.HOME = before;
    }
  });

  it("knows Docker Hub by its old address", async () => {
    await config({ auths: { "https://index.docker.io/v1/": { auth: encode("me:pw") } } });
    assert.deepEqual(await dockerCredentials("docker.io", env()), { username: "me", password: "pw" });
  });

  it("reads an identity token", async () => {
    await config({ auths: { "ghcr.io": { identitytoken: "t" } } });
    assert.deepEqual(await dockerCredentials("ghcr.io", env()), { identityToken: "t" });
  });

  it("asks the helper of the registry before the store, on stdin", async () => {
    await config({ credHelpers: { "ghcr.io": "test" }, credsStore: "absent" });
    await helper(`read host; printf '{"Username":"%s","Secret":"s"}' "$host-$1"`);
    assert.deepEqual(await dockerCredentials("ghcr.io", env()), { username: "ghcr.io-get", password: "s" });
  });

  it("falls back to the entry when the helper knows nothing", async () => {
    await config({ credsStore: "test", auths: { "ghcr.io": { auth: encode("a:b") } } });
    await helper("echo 'credentials not found in native keychain'; exit 1");
    assert.deepEqual(await dockerCredentials("ghcr.io", env()), { username: "a", password: "b" });
  });

  it("says which helper failed, and nothing of what it printed", async () => {
    await config({ credsStore: "test" });
    await helper("echo hunter2; exit 3");
    await assert.rejects(dockerCredentials("ghcr.io", env()), (error: Error) => {
      assert.doesNotMatch(error.message, /hunter2/);
      return says(/docker-credential-test.*ghcr\.io.*exit code 3/)(error);
    });
    await helper("echo hunter2");
    await assert.rejects(dockerCredentials("ghcr.io", env()), says(/not JSON with Username/));
    await config({ credsStore: "../evil" });
    await assert.rejects(dockerCredentials("ghcr.io", env()), says(/its name holds/));
    await config({ credsStore: "missing-helper" });
    await assert.rejects(dockerCredentials("ghcr.io", env()), says(/docker-credential-missing-helper/, /install/));
  });

  it("names the file that is no config, and quotes none of it", async () => {
    await config('{"auths": hunter2');
    await assert.rejects(dockerCredentials("ghcr.io", env()), (error: Error) => {
      assert.doesNotMatch(error.message, /hunter2/);
      return says(/config\.json is no docker config/)(error);
    });
    await config({ auths: { "ghcr.io": { auth: encode("nocolon") } } });
    await assert.rejects(dockerCredentials("ghcr.io", env()), says(/not base64 of user:password/));
  });
});
