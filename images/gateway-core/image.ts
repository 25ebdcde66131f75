import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "gateway-core",
  family: "gateway",
  description: "The gateway on Node 22 with yq, jq, git and the tool loader: deploys fast, tools come later",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: {
    packages: { lock: "packages.lock.json" },
    debian: { path: "../shared/debian" },
    npm: { path: "../shared/npm" },
    loader: { path: "../../runtime/tool-loader" },
    identity: { path: "identity", setting: "gateway.identity" },
  },
  budget: { compressed: "145 MB", unpacked: "490 MB" },
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
