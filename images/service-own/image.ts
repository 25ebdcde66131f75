import { defineImage } from "../../core/image.ts";

/**
 * A service of the fleet from its own sources. It is built for itself with seed 004's MemoryFusionHub in it; a stack's
 * `keelson:sources.<service>` makes one more of it for each service that it names, on the image that the service would run otherwise.
 */
export default defineImage({
  name: "service-own",
  family: "service",
  description: "a service from its own sources, on the reference service's image",
  version: "1.0.0",
  base: "service-cpu",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: { packages: { lock: "packages.lock.json" }, build: { path: "build" } },
  source: { python: { path: "app", app: "memory_fusion_hub.main:app" } },
  budget: { compressed: "67 MB", unpacked: "213 MB" },
  health: { http: { port: 8000, path: "/health" }, within: "30 s" },
  user: "10001:10001",
  smoke: "smoke",
});
