import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "base-cpu-pydeps",
  family: "python",
  description: "base-utils with numpy, pydantic and fastapi; 004 also calls it family-cpu-pydeps",
  version: "1.0.0",
  base: "base-utils",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: { packages: { lock: "packages.lock.json" }, python: { path: "../shared/python" } },
  // 004: from 170 MB to about 100; 65 is in reach.
  budget: { compressed: "65 MB", unpacked: "210 MB" },
  health: { command: ["python3", "-c", "import fastapi, numpy, pydantic"], within: "30 s" },
  user: "10001:10001",
  smoke: "smoke",
});
