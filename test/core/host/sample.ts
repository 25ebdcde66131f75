import type { HostService } from "../../../core/host/service.ts";

/** A service with everything that 003 wants of weft. */
export const WEFT: HostService = {
  name: "weft",
  image: `ghcr.io/acme/weft@sha256:${"0".repeat(64)}`,
  port: { container: 8080, publish: 8080 },
  health: { port: 8080, path: "/health" },
  environment: { RUST_LOG: "info" },
  secrets: [{ name: "API_KEY" }, { name: "TLS_KEY", as: "file" }],
  volumes: [{ source: "config", target: "/home/weft/.clawft" }],
  limits: { memory: "256 MiB", cpus: 1 },
  init: { file: "config.json", command: ["config", "init"] },
};
