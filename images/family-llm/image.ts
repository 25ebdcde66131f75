import { defineImage } from "../../core/image.ts";

/**
 * Its own torch, 2.1.2, which its vllm is compiled against: no vllm of that year pins 004's torch 2.2.2. So it stands on base-gpu,
 * beside family-torch, and no image holds two.
 */
export default defineImage({
  name: "family-llm-cu121",
  family: "llm",
  track: "cu121",
  description: "base-gpu-cu121 with vllm 0.4.0 and the torch 2.1.2 that it pins",
  version: "1.0.0",
  base: "base-gpu-cu121",
  platforms: ["linux/amd64"],
  args: { TRACK: "cu121" },
  contexts: { packages: { lock: "cu121.lock.json" }, python: { path: "../shared/python" } },
  budget: { compressed: "3500 MB" },
  health: { command: ["python3", "-c", "import vllm"], within: "120 s" },
  user: "10001:10001",
  smoke: "smoke",
});
