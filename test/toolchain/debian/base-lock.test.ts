import assert from "node:assert/strict";
import type { Artifact } from "../../../core/artifact.ts";
import { newest, shareCommon } from "../../../toolchain/debian/base-lock.ts";

const artifact = (file: string, platform: "linux/amd64" | "linux/arm64", digit = "0"): Artifact => ({
  file,
  platform,
  source: `debian:bookworm/${file}`,
  integrity: `sha256-${digit.repeat(64)}`,
  size: 1,
});

describe("base lock", () => {
  it("lists a package that is the same everywhere once, others by file and platform", () => {
    const both = ["linux/amd64", "linux/arm64"] as const;
    const artifacts = [
      artifact("z.deb", "linux/arm64", "1"),
      artifact("z.deb", "linux/amd64", "2"),
      artifact("all.deb", "linux/amd64"),
      artifact("all.deb", "linux/arm64"),
    ];
    const shown = shareCommon(artifacts, both).map((a) => [a.file, a.platform]);
    assert.deepEqual(shown, [
      ["all.deb", undefined],
      ["z.deb", "linux/amd64"],
      ["z.deb", "linux/arm64"],
    ]);
  });

  it("dates a lock by its newest index", () => {
    assert.equal(newest(["20260711T101637Z", "20261119T021254Z", "20261118T221741Z"]), "20261119T021254Z");
  });
});
