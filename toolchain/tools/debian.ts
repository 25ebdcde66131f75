import { aptSource, debSource } from "../sources/deb.ts";
import type { ToolDefinition } from "../tool.ts";

// Versions are Debian 12's, the oldest release that all of this is run on; a newer release's are accepted.

export const runc: ToolDefinition = {
  name: "runc",
  purpose: "starts the embedded builder's containers",
  version: "1.1.5",
  range: ">=1.1.0",
  aliases: ["/usr/sbin/runc"],
  versionArguments: ["--version"],
  sources: [debSource("runc", { runc: "usr/sbin/runc" }, 60e6)],
};

export const registry: ToolDefinition = {
  name: "docker-registry",
  purpose: "the embedded registry",
  version: "2.8.2",
  range: ">=2.8.0",
  aliases: ["registry"],
  versionArguments: ["--version"],
  sources: [debSource("docker-registry", { "docker-registry": "usr/bin/docker-registry" }, 80e6)],
};

export const qemu: ToolDefinition = {
  name: process.arch === "arm64" ? "qemu-x86_64-static" : "qemu-aarch64-static",
  purpose: "runs the other architecture's programs where no node has it",
  version: "7.2.0",
  range: ">=7.0.0",
  versionArguments: ["--version"],
  sources: [qemuSource(process.arch === "arm64" ? "qemu-x86_64-static" : "qemu-aarch64-static")],
};

function qemuSource(file: string) {
  return debSource("qemu-user-static", { [file]: `usr/bin/${file}` }, 500e6);
}

export const mmdebstrap: ToolDefinition = {
  name: "mmdebstrap",
  purpose: "makes Debian bases where no registry answers",
  version: "1.3.5",
  range: ">=1.3.0",
  versionArguments: ["--version"],
  sources: [aptSource("mmdebstrap", 200e6)],
};

export const skopeo: ToolDefinition = {
  name: "skopeo",
  optional: true,
  purpose: "checks pushed images in the end-to-end tests, with a client that is not keelson's",
  version: "1.9.3",
  range: ">=1.9.0",
  versionArguments: ["--version"],
  sources: [aptSource("skopeo", 200e6)],
};
