import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "postgres",
  family: "postgres",
  description: "PostgreSQL 15 of Debian, one small server for development",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: { packages: { lock: "packages.lock.json" }, debian: { path: "../shared/debian" } },
  budget: { compressed: "60 MB", unpacked: "190 MB" },
  health: {
    command: ["pg_isready", "-q", "-h", "127.0.0.1"],
    within: "60 s",
    environment: { POSTGRES_PASSWORD: "of-a-health-check" },
  },
  user: "10001:10001",
  smoke: "smoke",
});
