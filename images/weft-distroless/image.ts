import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "weft-distroless",
  family: "weft",
  description: "weft with glibc and nothing else: no shell, no package manager",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64", "linux/arm64"],
  // As weft's: what its sources say of themselves.
  args: {
    VERSION: "1.0.0",
    SOURCE: "https://github.com/keelson/keelson",
    DESCRIPTION: "weft: a multi-channel gateway",
  },
  contexts: { weft: { image: "weft" } },
  budget: { compressed: "5 MB", files: { "/usr/local/bin/weft": "10 MB" } },
  health: { http: { port: 8080, path: "/health" }, within: "30 s" },
  user: "10001:10001",
});
