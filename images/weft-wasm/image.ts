import { defineImage } from "../../core/image.ts";

/** 003's size gate: below 300 kB, and 120 kB with gzip. One platform: a component is the same on all, and is built on any. */
export default defineImage({
  name: "weft-wasm",
  family: "weft",
  description: "weft's answers as a WebAssembly component (WASI preview 2): one file",
  version: "1.0.0",
  base: "debian:bookworm-slim",
  platforms: ["linux/amd64"],
  // As its Cargo.toml says them: those of another workspace are its own.
  args: {
    VERSION: "1.0.0",
    SOURCE: "https://github.com/keelson/keelson",
    DESCRIPTION: "weft's answers as a WebAssembly component: a file to copy, no program",
  },
  contexts: { packages: { lock: "packages.lock.json" } },
  source: { cargo: { path: "component", package: "weft-wasm" } },
  budget: { compressed: "120 kB", files: { "/weft.wasm": "300 kB" } },
  user: "10001:10001",
});
