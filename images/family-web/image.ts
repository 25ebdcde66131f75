import { defineImage } from "../../core/image.ts";

export default defineImage({
  name: "family-web",
  family: "python",
  description: "base-cpu-pydeps with uvicorn, starlette and websockets",
  version: "1.0.0",
  base: "base-cpu-pydeps",
  platforms: ["linux/amd64", "linux/arm64"],
  contexts: { packages: { lock: "packages.lock.json" }, python: { path: "../shared/python" } },
  budget: { compressed: "65 MB", unpacked: "210 MB" },
  health: { command: ["uvicorn", "--version"], within: "30 s" },
  user: "10001:10001",
  smoke: "smoke",
});
