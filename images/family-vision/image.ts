import { defineImage } from "../../core/image.ts";

/** onnxruntime's releases that are compiled for a track's major version of CUDA, each with the cuDNN that it wants. */
const ONNXRUNTIME = { cu118: "1.18.1", cu121: "1.19.2", cu124: "1.22.0" } as const;

/** One definition for each CUDA track. */
export default (["cu118", "cu121", "cu124"] as const).map((track) =>
  defineImage({
    name: `family-vision-${track}`,
    family: "vision",
    track,
    description: `base-gpu-${track} with opencv-python-headless and onnxruntime-gpu ${ONNXRUNTIME[track]}`,
    version: "1.0.0",
    base: `base-gpu-${track}`,
    platforms: ["linux/amd64"],
    args: { TRACK: track },
    contexts: { packages: { lock: `${track}.lock.json` }, python: { path: "../shared/python" } },
    budget: { compressed: "1900 MB" },
    health: { command: ["python3", "-c", "import cv2, onnxruntime"], within: "60 s" },
    user: "10001:10001",
    smoke: "smoke",
  }),
);
