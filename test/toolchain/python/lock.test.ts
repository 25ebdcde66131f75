import assert from "node:assert/strict";
import { platformFlags } from "../../../toolchain/python/lock.ts";

describe("wheels for a platform", () => {
  const values = (flags: string[], flag: string) => flags.filter((_, i) => flags[i - 1] === flag);

  it("are those that Debian 12 of that platform runs, newest glibc first, never a source distribution", () => {
    const flags = platformFlags("linux/arm64", "3.11");
    assert.ok(flags.includes("--only-binary=:all:"));
    assert.deepEqual(values(flags, "--abi"), ["cp311", "abi3", "none"]);
    const platforms = values(flags, "--platform");
    assert.equal(platforms[0], "manylinux_2_36_aarch64");
    assert.deepEqual(platforms.slice(-2), ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]);
    assert.ok(platforms.every((p) => p.endsWith("aarch64")));
    assert.ok(values(platformFlags("linux/amd64", "3.11"), "--platform").includes("manylinux1_x86_64"));
  });
});
