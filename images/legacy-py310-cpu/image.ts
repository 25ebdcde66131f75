import { defineImage } from "../../core/image.ts";

/**
 * For services that are stuck on Python 3.10, which Debian 12 and later do not have: Ubuntu 22.04's packages of it, with Ubuntu's security
 * fixes, by hash. They want nothing that Debian 12 lacks. amd64 alone: Ubuntu keeps other architectures on another server.
 */
export default defineImage({
  name: "legacy-py310-cpu",
  family: "python",
  description: "base-utils with Python 3.10 of Ubuntu 22.04, numpy, and pydantic and fastapi as seed 004 froze them",
  version: "1.0.0",
  base: "base-utils",
  platforms: ["linux/amd64"],
  contexts: { packages: { lock: "packages.lock.json" }, python: { path: "python" } },
  budget: { compressed: "69 MB", unpacked: "205 MB" },
  health: { command: ["python3", "-c", "import fastapi, numpy, pydantic"], within: "30 s" },
  user: "10001:10001",
  smoke: "smoke",
  annotations: {
    "io.keelson.python.origin": "packages of Ubuntu 22.04 on Debian 12; upstream's ubuntu:22.04 was not used",
  },
});
