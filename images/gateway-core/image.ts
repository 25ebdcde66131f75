import { defineImage, type ImageDefinition } from "../../core/image.ts";

/** The gateway on one base: what is in it, and the Dockerfile, are the same but for what the base has as its own. */
function on(
  base: string,
  own: Pick<ImageDefinition, "name" | "description" | "platforms" | "budget" | "args" | "target">,
): ImageDefinition {
  return defineImage({
    ...own,
    family: "gateway",
    version: "1.0.0",
    base,
    contexts: {
      packages: { lock: "packages.lock.json" },
      debian: { path: "../shared/debian" },
      npm: { path: "../shared/npm" },
      loader: { path: "../../runtime/tool-loader" },
      identity: { path: "identity", setting: "gateway.identity" },
    },
    health: { http: { port: 8080, path: "/health" }, within: "60 s", smoke: "native" },
    user: "10001:10001",
    smoke: "smoke",
    allow: [
      {
        rule: "secret/text",
        path: "/usr/local/lib/gateway/node_modules/*onstants*",
        reason: "a word of WhatsApp's protocol dictionary, as every client has it; it opens nothing",
      },
    ],
  });
}

/** 000 builds on Cloudflare's sandbox, which only its containers need. */
export default [
  on("debian:bookworm-slim", {
    name: "gateway-core",
    description: "The gateway on Node 22 with yq, jq, git and the tool loader: deploys fast, tools come later",
    platforms: ["linux/amd64", "linux/arm64"],
    budget: { compressed: "145 MB", unpacked: "490 MB" },
  }),
  on("cloudflare/sandbox:0.7.0", {
    name: "gateway-cloudflare",
    description: "gateway-core on cloudflare/sandbox, for Cloudflare's containers",
    platforms: ["linux/amd64"],
    budget: { compressed: "1000 MB" },
    // An Ubuntu 22.04: its C library is older than what Debian's git and jq want.
    args: { ONLY: "tini" },
    target: "cloudflare",
  }),
];
