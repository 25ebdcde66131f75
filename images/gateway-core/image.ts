import { defineImage, type ImageDefinition } from "../../core/image.ts";

/** The gateway on one base: what is in it, and the Dockerfile, are the same. */
function on(
  base: string,
  name: string,
  platforms: ImageDefinition["platforms"],
  description: string,
  budget: ImageDefinition["budget"],
): ImageDefinition {
  return defineImage({
    name,
    family: "gateway",
    description,
    version: "1.0.0",
    base,
    platforms,
    contexts: {
      packages: { lock: "packages.lock.json" },
      debian: { path: "../shared/debian" },
      npm: { path: "../shared/npm" },
      loader: { path: "../../runtime/tool-loader" },
      identity: { path: "identity", setting: "gateway.identity" },
    },
    budget,
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
  on(
    "debian:bookworm-slim",
    "gateway-core",
    ["linux/amd64", "linux/arm64"],
    "The gateway on Node 22 with yq, jq, git and the tool loader: deploys fast, tools come later",
    { compressed: "145 MB", unpacked: "490 MB" },
  ),
  on(
    "cloudflare/sandbox:0.7.0",
    "gateway-cloudflare",
    ["linux/amd64"],
    "gateway-core on cloudflare/sandbox, for Cloudflare's containers",
    { compressed: "1000 MB" },
  ),
];
