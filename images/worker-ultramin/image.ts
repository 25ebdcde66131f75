import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "worker-ultramin",
  family: "worker",
  description: "Claude Code on Debian slim, without git: repositories are mounted",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: { packages: { lock: "packages.lock.json" }, debian: { path: "../shared/debian" } },
  budget: {
    unpacked: "500 MB",
    // On arm64 programs are laid out for pages of up to 64 KiB: Debian slim alone holds 22 MB more, of zeros.
    rest: { without: ["/usr/local/bin/claude"], unpacked: "105 MB", on: { "linux/arm64": "118 MB" } },
  },
  health: { command: ["claude", "--version"], within: "30 s" },
  user: "10001:10001",
  smoke: "smoke",
});
