import { defineImage } from "../../core/image.ts";
import { CMAKE_TEMPLATE_KEY } from "../shared/allow.ts";

/**
 * Its own torch, 2.1.2, which its vllm is compiled against: no vllm of that year pins 004's torch 2.2.2. So it stands on base-gpu,
 * beside family-torch, and no image holds two.
 */
export default defineImage({
  name: "family-llm-cu121",
  family: "llm",
  track: "cu121",
  description: "base-gpu-cu121 with vllm 0.4.0, the torch 2.1.2 that it pins, and llama-cpp-python 0.3.36",
  version: "1.0.0",
  base: "base-gpu-cu121",
  platforms: ["linux/amd64"],
  args: { TRACK: "cu121" },
  contexts: {
    packages: { lock: "cu121.lock.json" },
    python: { path: "../shared/python" },
    "python-source": { path: "../shared/python-source" },
  },
  budget: { compressed: "3350 MB", unpacked: "6700 MB" },
  health: { command: ["python3", "-c", "import llama_cpp, vllm"], within: "120 s" },
  user: "10001:10001",
  smoke: "smoke",
  allow: [
    CMAKE_TEMPLATE_KEY,
    {
      rule: "secret/text",
      path: "/usr/local/lib/python3.11/dist-packages/transformers/testing_utils.py",
      reason: "the public token of a test account at Hugging Face's staging hub",
    },
  ],
});
