import type { NextConfig } from "next";

export default {
  output: "standalone",
  // The one id that a build of the same files always has; Next's own is random.
  generateBuildId: () => process.env.BUILD_ID ?? "todo",
  // Nothing here resizes images: sharp and its libraries are 30 MB.
  images: { unoptimized: true },
  outputFileTracingExcludes: { "*": ["node_modules/sharp/**", "node_modules/@img/**", "node_modules/typescript/**"] },
  turbopack: { root: import.meta.dirname },
  outputFileTracingRoot: import.meta.dirname,
  poweredByHeader: false,
} satisfies NextConfig;
