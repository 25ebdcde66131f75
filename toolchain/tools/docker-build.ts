import { ensure } from "../resolve.ts";
import { goSource } from "../sources/go.ts";
import { pluginDownload } from "../sources/pulumi.ts";
import type { ToolDefinition } from "../tool.ts";
import { pulumi } from "./pulumi.ts";

/** Equal to the version of the npm package @pulumi/docker-build. */
const VERSION = "0.0.22";
const FILE = "pulumi-resource-docker-build";

export const dockerBuild: ToolDefinition = {
  name: FILE,
  purpose: "Pulumi's provider for builds by BuildKit",
  version: VERSION,
  range: VERSION,
  plugin: `resource-docker-build-v${VERSION}`,
  sources: [
    pluginDownload({ name: "docker-build", version: VERSION, file: FILE, bytes: 400e6 }, (progress) =>
      ensure(pulumi, progress),
    ),
    goSource({
      version: VERSION,
      module: "docker-build",
      package: "github.com/pulumi/pulumi-docker-build/provider/cmd/pulumi-resource-docker-build",
      file: FILE,
      set: { "github.com/pulumi/pulumi-docker-build/provider.Version": VERSION },
      minutes: 4,
      bytes: 5e9,
    }),
  ],
};
