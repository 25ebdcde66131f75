import { wheelSource } from "../sources/wheel.ts";
import type { ToolDefinition } from "../tool.ts";

const VERSION = "0.13.8";

export const uv: ToolDefinition = {
  name: "uv",
  optional: true,
  purpose: "resolves Python requirements for every platform, for `keelson lock`",
  version: VERSION,
  range: ">=0.5.0",
  versionArguments: ["--version"],
  sources: [
    wheelSource(
      `uv==${VERSION}`,
      {
        "linux-x64": {
          file: `uv-${VERSION}-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl`,
          sha256: "e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984",
        },
        "linux-arm64": {
          file: `uv-${VERSION}-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl`,
          sha256: "0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d",
        },
      },
      "uv",
      120e6,
    ),
  ],
};
