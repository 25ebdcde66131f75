import assert from "node:assert/strict";
import { escapePath, hostMount, loaderEnvironment, type VolumeAccess } from "../../../core/volume/consumers.ts";

const access: VolumeAccess = {
  endpoint: "https://0123.r2.cloudflarestorage.com",
  region: "auto",
  bucket: "tools",
  prefix: "acme/",
  accessKeyId: "AKEY",
  secretAccessKey: "canary-secret",
};

describe("a volume's consumers", () => {
  it("the tool loader gets its settings, the secret apart", () => {
    const { environment, secrets } = loaderEnvironment(access);
    assert.equal(environment.TOOL_LOADER_VOLUME, "s3://tools/acme");
    assert.equal(loaderEnvironment({ ...access, prefix: "" }).environment.TOOL_LOADER_VOLUME, "s3://tools");
    assert.doesNotMatch(JSON.stringify(environment), /canary/);
    assert.deepEqual(secrets, { TOOL_LOADER_S3_SECRET_ACCESS_KEY: "canary-secret" });
  });

  it("a host gets a mount named by its path, and its keys in a file of their own", () => {
    const { unit, unitText, configFile, configText } = hostMount("tools", access, "/srv/my tools/100%");
    assert.equal(unit, "srv-my\\x20tools-100\\x25.mount");
    assert.doesNotMatch(unitText, /canary|AKEY/);
    assert.match(unitText, /^What=tools:tools\/acme$/m);
    assert.match(unitText, /^Where=\/srv\/my tools\/100%%$/m);
    assert.ok(unitText.includes(`config=${configFile},`));
    assert.match(configText, /^\[tools\]\ntype = s3\nprovider = Cloudflare\n/);
    assert.match(configText, /^secret_access_key = canary-secret$/m);
    assert.match(hostMount("t", { ...access, endpoint: "http://127.0.0.1:5643/s3" }, "/t").configText, /= Other$/m);
  });

  /** What `systemd-escape --path` says of them. */
  for (const [path, escaped] of [
    ["/srv/tools", "srv-tools"],
    ["/srv//tools/", "srv-tools"],
    ["/", "-"],
    ["/.hidden/a.b", "\\x2ehidden-a.b"],
    ["/a-b/ü", "a\\x2db-\\xc3\\xbc"],
  ] as const)
    it(`${path} is ${escaped}`, () => assert.equal(escapePath(path), escaped));
});
