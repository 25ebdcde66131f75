import { goSource } from "../sources/go.ts";
import { pulumiDownload } from "../sources/pulumi.ts";
import type { ToolDefinition } from "../tool.ts";

/** Equal to the version of the npm package @pulumi/pulumi, which speaks the engine's protocol. */
const VERSION = "3.259.0";

export const pulumi: ToolDefinition = {
  name: "pulumi",
  file: "bin/pulumi",
  purpose: "the engine that plans and applies stacks",
  version: VERSION,
  range: `>=${VERSION} <4`,
  versionArguments: ["version"],
  sources: [
    pulumiDownload(VERSION, 900e6),
    goSource({
      version: VERSION,
      module: "pulumi",
      package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
      file: "bin/pulumi",
      set: { "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": `v${VERSION}` },
      // The engine looks for its language hosts beside itself; the official one is not to be had as source.
      beside: { "bin/pulumi-language-nodejs": "toolchain/language-host/pulumi-language-nodejs" },
      minutes: 6,
      bytes: 4.5e9,
    }),
  ],
};
