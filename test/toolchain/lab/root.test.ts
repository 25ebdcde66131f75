import assert from "node:assert/strict";
import sinon from "sinon";
import { checkLab, LAB_RELEASES, readLabLock } from "../../../toolchain/lab/root.ts";

describe("the lab", () => {
  afterEach(() => sinon.restore());

  it("is root's alone, and says so", () => {
    sinon.stub(process, "getuid").returns(1000);
    assert.throws(checkLab, { name: "UserError", message: /which only root may/, fix: /run it as root/ });
  });

  for (const release of LAB_RELEASES) {
    const isUbuntu = ["jammy", "noble"].includes(release);
    const platforms = isUbuntu ? ["linux/amd64"] : ["linux/amd64", "linux/arm64"];
    it(`stands on packages of ${release} that are pinned by hash, for ${platforms.join(" and ")}`, async () => {
      const { suite, packages } = await readLabLock(release);
      assert.equal(suite, release);
      const { artifacts } = packages;
      for (const { source } of artifacts)
        assert.match(source, new RegExp(`^debian:${release}(?:-security|-updates)?/`));
      for (const platform of platforms)
        for (const name of ["docker.io", "haproxy", "openssh-server", "systemd-container", "systemd-sysv"]) {
          const found = artifacts.find((a) => a.name === name && (a.platform ?? platform) === platform);
          assert.match(found?.integrity ?? "", /^sha256-[0-9a-f]{64}$/, `${name} for ${platform}`);
        }
    });
  }
});
