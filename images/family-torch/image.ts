import { defineImage } from "../../core/image.ts";
import { CMAKE_TEMPLATE_KEY } from "../shared/allow.ts";

/**
 * torch 2.2.2, as seed 004 has it, is released for CUDA 11.8 and 12.1; the index has its 12.1 wheel alone. The last one there that runs
 * on CUDA 11 is 2.0.1: compiled with 11.7 for cards up to 8.6, whose code 8.9 runs too, and put on 11.8's libraries.
 */
const TORCH = { cu118: "2.0.1", cu121: "2.2.2", cu124: "2.5.1" } as const;

/** One definition for each CUDA track. */
export default (["cu118", "cu121", "cu124"] as const).map((track) =>
  defineImage({
    name: `family-torch-${track}`,
    family: "torch",
    track,
    description: `base-gpu-${track} with torch ${TORCH[track]} and torchvision`,
    version: "1.0.0",
    base: `base-gpu-${track}`,
    platforms: ["linux/amd64"],
    args: { TRACK: track },
    contexts: { packages: { lock: `${track}.lock.json` }, python: { path: "../shared/python" } },
    // 004: from 5.2 GB to 3, for torch 2.2.2. As built, 2.5.1 has 3,096 MB: it is larger, and so is its cuDNN.
    budget: { compressed: track === "cu124" ? "3150 MB" : "3 GB" },
    health: { command: ["python3", "-c", "import torch, torchvision"], within: "60 s" },
    user: "10001:10001",
    smoke: "smoke",
    // 2.0.1's triton.
    ...(track === "cu118" ? { allow: [CMAKE_TEMPLATE_KEY] } : {}),
  }),
);
