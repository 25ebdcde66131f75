import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { home } from "../../toolchain/home.ts";
import { environmentFor, stateUrl } from "../../toolchain/pulumi-environment.ts";

const ROOT = "/src/keel son";
const H = home({ KEELSON_HOME: "/cache/k" });
const environment = (user: NodeJS.ProcessEnv) => environmentFor(ROOT, H, { HOME: "/nobody", ...user });

describe("environment for pulumi", () => {
  it("puts the checkout's links first on PATH, once", () => {
    const bin = "/src/keel son/.keelson/bin";
    assert.equal(environment({ PATH: "/usr/bin:/bin" }).PATH, `${bin}:/usr/bin:/bin`);
    assert.equal(environment({ PATH: `/usr/bin:${bin}:/bin` }).PATH, `${bin}:/usr/bin:/bin`);
    assert.equal(environment({}).PATH, bin);
    const npm = [
      join(ROOT, "node_modules/.bin"),
      "/node_modules/.bin",
      "/usr/lib/npm/bin/node-gyp-bin",
      "/other/.keelson/bin",
    ];
    assert.equal(
      environment({ PATH: [...npm, "/usr/bin", "/mine/node_modules/.bin"].join(":") }).PATH,
      `${bin}:/usr/bin:/mine/node_modules/.bin`,
    );
  });

  it("writes the state's path as a URL", () => {
    assert.equal(stateUrl("/a b/ü#?%"), "file:///a%20b/%C3%BC%23%3F%25/.keelson/state?metadata=skip");
    assert.equal(new URL(stateUrl("/a b")).pathname, "/a%20b/.keelson/state");
  });

  const backends: [string, NodeJS.ProcessEnv, string][] = [
    ["ours by default", {}, stateUrl(ROOT)],
    ["the user's where they set one", { PULUMI_BACKEND_URL: "s3://bucket" }, "s3://bucket"],
    ["the user's after keelson env too", { KEELSON_ROOT: "/x", PULUMI_BACKEND_URL: "s3://bucket" }, "s3://bucket"],
    [
      "ours where another checkout's env set it",
      { KEELSON_ROOT: "/other", PULUMI_BACKEND_URL: stateUrl("/other") },
      stateUrl(ROOT),
    ],
  ];
  for (const [name, user, expected] of backends) {
    it(`backend: ${name}`, () => assert.equal(environment(user).PULUMI_BACKEND_URL, expected));
  }

  it("gives stack dev's passphrase only where the user has none", () => {
    assert.equal(environment({}).PULUMI_CONFIG_PASSPHRASE, "keelson-dev");
    assert.equal(environment({ PULUMI_CONFIG_PASSPHRASE: "mine" }).PULUMI_CONFIG_PASSPHRASE, "mine");
    assert.equal(environment({ PULUMI_CONFIG_PASSPHRASE: "" }).PULUMI_CONFIG_PASSPHRASE, "");
    assert.equal(environment({ PULUMI_CONFIG_PASSPHRASE_FILE: "/f" }).PULUMI_CONFIG_PASSPHRASE, undefined);
  });

  it("adds the embedded CA to what is trusted", () => {
    const ours = "/cache/k/services/tls/trust";
    assert.equal(environment({ SSL_CERT_DIR: "/a:/b" }).SSL_CERT_DIR, `/a:/b:${ours}`);
    assert.equal(environment({ SSL_CERT_DIR: `/a:${ours}` }).SSL_CERT_DIR, `/a:${ours}`);
    assert.ok(environment({}).SSL_CERT_DIR?.endsWith(ours));
  });

  it("keeps the user's login", () => {
    const user = mkdtempSync(join(tmpdir(), "keelson login "));
    try {
      assert.equal(environment({ PULUMI_HOME: user }).PULUMI_CREDENTIALS_PATH, undefined);
      writeFileSync(join(user, "credentials.json"), "{}");
      assert.equal(environment({ PULUMI_HOME: user }).PULUMI_CREDENTIALS_PATH, user);
      assert.equal(environment({ PULUMI_HOME: user, PULUMI_CREDENTIALS_PATH: "/c" }).PULUMI_CREDENTIALS_PATH, "/c");
    } finally {
      rmSync(user, { recursive: true });
    }
  });
});
