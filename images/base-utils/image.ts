import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "base-utils",
  family: "python",
  description: "base-python with curl, dumb-init, gosu and tzdata",
  version: "1.0.0",
  base: "base-python",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: { packages: { lock: "packages.lock.json" }, debian: { path: "../shared/debian" } },
  budget: { compressed: "50 MB", unpacked: "146 MB" },
  health: { command: ["curl", "--version"], within: "30 s" },
  user: "10001:10001",
  smoke: "smoke",
});
