import assert from "node:assert/strict";
import { UserError } from "../../../core/error.ts";
import { buildkitAddress, buildkitConfig } from "../../../toolchain/services/buildkitd.ts";

const options = {
  directory: "/home/a b/services/buildkit/default",
  sockets: "/run/keelson-0-0123456789ab",
  binary: '/home/a "b"/runc',
  registry: { host: "localhost:5443", ca: "/home/a b/ca.pem" },
  cgroup: "keelson-0123456789ab",
  platforms: [],
} as const;

describe("buildkitd's configuration", () => {
  it("pulls docker.io through the embedded registry, over TLS", () => {
    const config = buildkitConfig(options);
    assert.match(config, /\[registry\."docker\.io"\]\nmirrors = \["localhost:5443"\]\n/);
    assert.match(config, /\[registry\."localhost:5443"\]\nhttp = false\nca = \["\/home\/a b\/ca\.pem"\]\n/);
  });

  it("runs steps on the host's network through the wrapper, in a control group of its own", () => {
    const config = buildkitConfig(options);
    assert.match(config, /^binary = "\/home\/a \\"b\\"\/runc"$/m);
    assert.match(config, /^networkMode = "host"$/m);
    assert.match(config, /^defaultCgroupParent = "keelson-0123456789ab"$/m);
    assert.match(config, /^address = \["unix:\/\/\/run\/keelson-0-0123456789ab\/buildkitd\.sock"\]$/m);
    assert.match(config, /^maxUsedSpace = "\d+GB"$/m);
    assert.doesNotMatch(config, /^platforms/m);
  });

  it("is limited to the platforms asked for", () => {
    assert.match(buildkitConfig({ ...options, platforms: ["linux/arm64"] }), /^platforms = \["linux\/arm64"\]$/m);
  });

  it("leaves control groups alone without root", () => {
    const config = buildkitConfig({ ...options, cgroup: undefined });
    assert.match(config, /^rootless = true$/m);
    assert.doesNotMatch(config, /defaultCgroupParent/);
  });

  it("takes no instance name that leaves its folder", () => {
    assert.equal(buildkitAddress("/s", "arm"), "unix:///s/buildkit/arm/buildkitd.sock");
    for (const name of ["../x", "", "A", "a/b", "-x"]) assert.throws(() => buildkitAddress("/s", name), UserError);
  });
});
