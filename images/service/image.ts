import { defineImage, type ImageDefinition } from "../../core/image.ts";

const BOTH = ["linux/amd64", "linux/arm64"] as const;
const AMD64 = ["linux/amd64"] as const;

/** The reference service on one family. `pins` names what it adds to the family: its lock and its requests; `python` what installs it. */
function on(
  base: string,
  name: string,
  pins: string,
  platforms: ImageDefinition["platforms"],
  budget: ImageDefinition["budget"],
  track?: string,
  python = "../shared/python",
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
      python: { path: python },
    },
    budget,
    health: { http: { port: 8000, path: "/health" }, within: "30 s" },
    user: "10001:10001",
    smoke: "smoke",
  });
}

/** The reference service on each GPU family of a track that has it. */
function gpu(track: string): ImageDefinition[] {
  const [torch, vision] = [`family-torch-${track}`, `family-vision-${track}`];
  return [
    on(torch, `service-torch-${track}`, `torch-${track}`, AMD64, { compressed: "3 GB" }, track),
    on(torch, `service-torch-audio-${track}`, `torch-audio-${track}`, AMD64, { compressed: "3.2 GB" }, track),
    on(vision, `service-vision-${track}`, `vision-${track}`, AMD64, { compressed: "1900 MB" }, track),
  ];
}

const LEGACY = { base: "legacy-py310-cpu", python: "../legacy-py310-cpu/python" };

/** Audio: ffmpeg, libpulse, alsa and libsndfile with all that they need. */
export default [
  on("base-cpu-pydeps", "service-cpu", "cpu", BOTH, { compressed: "66 MB", unpacked: "212 MB" }),
  on("base-cpu-pydeps", "service-cpu-audio", "cpu-audio", BOTH, { compressed: "250 MB", unpacked: "700 MB" }),
  on("family-web", "service-web", "web", BOTH, { compressed: "66 MB", unpacked: "212 MB" }),
  on(
    LEGACY.base,
    "service-legacy",
    "legacy",
    AMD64,
    { compressed: "70 MB", unpacked: "206 MB" },
    undefined,
    LEGACY.python,
  ),
  ...["cu118", "cu121", "cu124"].flatMap(gpu),
  on("family-llm-cu121", "service-llm-cu121", "llm-cu121", AMD64, { compressed: "3.5 GB" }, "cu121"),
];
