import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "gateway-dev",
  family: "gateway",
  description: "gateway-core with entr and tsx: for work on the gateway",
  version: "1.0.0",
  base: "gateway-core",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: {
    packages: { lock: "packages.lock.json" },
    debian: { path: "../shared/debian" },
    npm: { path: "../shared/npm" },
  },
  budget: { compressed: "1500 MB" },
  health: { http: { port: 8080, path: "/health" }, within: "60 s", smoke: "native" },
  user: "10001:10001",
  smoke: "smoke",
});
