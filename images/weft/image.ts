import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "weft",
  family: "weft",
  description: "A Rust gateway on Debian slim, from a Cargo workspace",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64", "linux/arm64"],
  // As its Cargo.toml says them: those of another workspace are its own.
  args: {
    VERSION: "1.0.0",
    SOURCE: "https://github.com/keelson/keelson",
    DESCRIPTION: "weft: a multi-channel gateway",
  },
  contexts: { packages: { lock: "packages.lock.json" }, debian: { path: "../shared/debian" } },
  source: { cargo: { path: "gateway", package: "weft-cli", binary: "weft" } },
  budget: { compressed: "50 MiB", files: { "/usr/local/bin/weft": "10 MB" } },
  health: { http: { port: 8080, path: "/health" }, within: "30 s" },
  user: "10001:10001",
  smoke: "smoke",
});
