import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "gateway-full",
  family: "gateway",
  description: "gateway-core with every tool baked in: pre-warmed, for starts without a volume",
  version: "1.0.0",
  base: "gateway-core",
  // ck has a prebuilt binary for it alone.
  platforms: ["linux/amd64"],
  budget: { compressed: "4 GB" },
  health: { http: { port: 8080, path: "/health" }, within: "60 s", smoke: "native" },
  user: "10001:10001",
  smoke: "smoke",
});
