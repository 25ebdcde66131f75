import { defineImage } from "../../core/image.ts";

const TRACKS = ["cu118", "cu121", "cu124"] as const;

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
    contexts: { packages: { lock: `${track}.lock.json` }, python: { path: "../shared/python" } },
    budget: { compressed: "800 MB", unpacked: "1500 MB" },
    health: {
      command: ["python3", "-c", `import ctypes; ctypes.CDLL("libcublas.so.${track === "cu118" ? 11 : 12}")`],
      within: "30 s",
    },
    user: "10001:10001",
    smoke: "smoke",
    annotations: { "io.keelson.cuda.origin": "NVIDIA's wheels; upstream's nvidia/cuda was not used" },
  }),
);
