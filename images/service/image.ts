import { defineImage, type ImageDefinition } from "../../core/image.ts";

const BOTH = ["linux/amd64", "linux/arm64"] as const;
const AMD64 = ["linux/amd64"] as const;

/** The reference service on one family. `pins` names what it adds to the family: its lock and its requests. */
function on(
  base: string,
  name: string,
  pins: string,
  platforms: ImageDefinition["platforms"],
  budget: ImageDefinition["budget"],
  track?: string,
): ImageDefinition {
  return defineImage({
    name,
    family: "service",
    ...(track === undefined ? {} : { track }),
    description: `the reference service on ${base}`,
    version: "1.0.0",
    base,
    platforms,
    args: { PINS: pins },
    machineArgs: ["MACHINE", "MACHINE_PROFILE"],
    contexts: {
      packages: { lock: `${pins}.lock.json` },
      debian: { path: "../shared/debian" },
      python: { path: "../shared/python" },
    },
    budget,
    health: { http: { port: 8000, path: "/health" }, within: "30 s" },
    user: "10001:10001",
    smoke: "smoke",
  });
}

/** Audio: ffmpeg, libpulse, alsa and libsndfile with all that they need. */
export default [
  on("base-cpu-pydeps", "service-cpu", "cpu", BOTH, { compressed: "66 MB", unpacked: "212 MB" }),
  on("base-cpu-pydeps", "service-cpu-audio", "cpu-audio", BOTH, { compressed: "250 MB", unpacked: "700 MB" }),
  on("family-web", "service-web", "web", BOTH, { compressed: "66 MB", unpacked: "212 MB" }),
  on("family-torch-cu121", "service-torch-cu121", "torch-cu121", AMD64, { compressed: "3 GB" }, "cu121"),
  on("family-torch-cu121", "service-torch-audio-cu121", "torch-audio-cu121", AMD64, { compressed: "3.2 GB" }, "cu121"),
  on("family-llm-cu121", "service-llm-cu121", "llm-cu121", AMD64, { compressed: "3.5 GB" }, "cu121"),
  on("family-vision-cu121", "service-vision-cu121", "vision-cu121", AMD64, { compressed: "1900 MB" }, "cu121"),
];
