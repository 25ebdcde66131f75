import { homedir } from "node:os";
import { join } from "node:path";
import { goSource } from "../sources/go.ts";
import type { ToolDefinition } from "../tool.ts";

const BUILDKIT = "0.31.0";
const BUILDX = "0.35.0";

export const buildkitd: ToolDefinition = {
  name: "buildkitd",
  purpose: "the embedded builder's daemon",
  version: BUILDKIT,
  range: `>=${BUILDKIT}`,
  versionArguments: ["--version"],
  sources: [fromGo("buildkitd", BUILDKIT, "github.com/moby/buildkit", 2)],
};

export const buildctl: ToolDefinition = {
  name: "buildctl",
  purpose: "asks a BuildKit daemon for its state, workers and cache",
  version: BUILDKIT,
  range: `>=${BUILDKIT}`,
  versionArguments: ["--version"],
  sources: [fromGo("buildctl", BUILDKIT, "github.com/moby/buildkit", 1)],
};

export const buildx: ToolDefinition = {
  name: "buildx",
  purpose: "builds through several nodes, and bake, the measure for keelson's own speed",
  version: BUILDX,
  range: `>=${BUILDX}`,
  aliases: [
    "docker-buildx",
    "/usr/libexec/docker/cli-plugins/docker-buildx",
    "/usr/lib/docker/cli-plugins/docker-buildx",
    "/usr/local/lib/docker/cli-plugins/docker-buildx",
    // Docker Desktop's, on macOS and Windows; Homebrew's are on PATH.
    "/Applications/Docker.app/Contents/Resources/cli-plugins/docker-buildx",
    join(homedir(), ".docker/cli-plugins/docker-buildx"),
    "C:\\Program Files\\Docker\\cli-plugins\\docker-buildx",
    "C:\\ProgramData\\docker\\cli-plugins\\docker-buildx",
    "C:\\Program Files\\Docker\\Docker\\resources\\cli-plugins\\docker-buildx",
  ],
  versionArguments: ["version"],
  sources: [fromGo("buildx", BUILDX, "github.com/docker/buildx", 2)],
};

function fromGo(name: string, version: string, module: string, minutes: number) {
  return goSource({
    version,
    module: "buildkit",
    package: `${module}/cmd/${name}`,
    file: name,
    set: { [`${module}/version.Version`]: `v${version}` },
    minutes,
    bytes: 2.2e9,
  });
}
