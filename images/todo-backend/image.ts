import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "todo-backend",
  family: "todo",
  description: "A FastAPI application on Python 3.11",
  version: "1.0.0",
  base: "base-python",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: { packages: { lock: "packages.lock.json" } },
  source: { python: { path: "app", app: "todo.main:app" } },
  // 002: below 300 MB. On arm64 programs are laid out for pages of up to 64 KiB.
  budget: { compressed: "48 MB", unpacked: "155 MB" },
  health: {
    http: { port: 8000, path: "/health" },
    within: "30 s",
    environment: { DATABASE_URL: "postgresql://todo@127.0.0.1:9/todo" },
  },
  user: "10001:10001",
  smoke: "smoke",
});
