import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "todo-frontend",
  family: "todo",
  description: "A Next.js application with Prisma, standalone: node, its libraries, and nothing else",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: {
    packages: { lock: "packages.lock.json" },
    npm: { path: "../shared/npm" },
  },
  source: { npm: { path: "app" } },
  // 002: below 500 MB. On arm64 programs are laid out for pages of up to 64 KiB.
  budget: { compressed: "52 MB", unpacked: "140 MB" },
  health: {
    http: { port: 3000, path: "/health" },
    within: "30 s",
    environment: { DATABASE_URL: "postgresql://todo@127.0.0.1:9/todo", BACKEND_URL: "http://127.0.0.1:9" },
  },
  user: "10001:10001",
  smoke: "smoke",
});
