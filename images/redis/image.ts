import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "redis",
  family: "redis",
  description: "Redis 7 of Debian, for the services of one machine",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: { packages: { lock: "packages.lock.json" }, debian: { path: "../shared/debian" } },
  budget: { compressed: "36 MB", unpacked: "120 MB" },
  health: { command: ["redis-cli", "ping"], within: "30 s" },
  user: "10001:10001",
  smoke: "smoke",
});
