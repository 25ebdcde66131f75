import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "base-python",
  family: "python",
  description: "Python 3.11 on Debian slim, non-root, tini",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: { packages: { lock: "packages.lock.json" }, debian: { path: "../shared/debian" } },
  // On arm64 programs are laid out for pages of up to 64 KiB: 24 MB more, of zeros.
  budget: { compressed: "45 MB", unpacked: "140 MB" },
  health: { command: ["python3", "-c", "import ssl, sqlite3, ctypes"], within: "30 s" },
  user: "10001:10001",
  smoke: "smoke",
});
