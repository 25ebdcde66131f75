/** CUDA architectures, toolkits and tracks: notation, compatibility, drivers. One import for the rest of the house. */
export * from "./cuda/arch.ts";
export * from "./cuda/capability.ts";
export * from "./cuda/compatibility.ts";
export * from "./cuda/cost.ts";
export * from "./cuda/generations.ts";
export * from "./cuda/notation.ts";
export * from "./cuda/render.ts";
export * from "./cuda/toolkits.ts";
export * from "./cuda/tracks.ts";
export * from "./cuda/version.ts";
export * from "./cuda/wish.ts";
