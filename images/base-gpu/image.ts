import { defineImage } from "../../core/image.ts";

const TRACKS = ["cu118", "cu121", "cu124"] as const;

/** NVIDIA's images of the releases whose libraries the wheels of each track are. */
const RELEASE = { cu118: "11.8.0", cu121: "12.1.1", cu124: "12.4.1" } as const;

/** One definition for each CUDA track. */
export default TRACKS.map((track) =>
  defineImage({
    name: `base-gpu-${track}`,
    family: "gpu",
    track,
    description: `base-utils with CUDA ${track.slice(2, 4)}.${track.slice(4)}: runtime, compiler at run time, cuBLAS, cuFFT, cuRAND`,
    version: "1.0.0",
    base: "base-utils",
    platforms: ["linux/amd64"],
    args: { TRACK: track },
    contexts: {
      cuda: { base: `nvidia/cuda:${RELEASE[track]}-runtime-ubuntu22.04`, else: "packages" },
      packages: { lock: `${track}.lock.json` },
      python: { path: "../shared/python" },
    },
    budget: { compressed: "800 MB", unpacked: "1500 MB" },
    health: {
      command: ["python3", "-c", `import ctypes; ctypes.CDLL("libcublas.so.${track === "cu118" ? 11 : 12}")`],
      within: "30 s",
    },
    user: "10001:10001",
    smoke: "smoke",
  }),
);
