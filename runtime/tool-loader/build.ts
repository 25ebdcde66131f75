import { chmod } from "node:fs/promises";
import { build } from "esbuild";

/**
 * Bundles the loader to one file that node 22 runs by itself.
 * @example node runtime/tool-loader/build.ts /tmp/tool-loader.cjs
 */
export async function bundle(outfile: string): Promise<void> {
  await build({
    entryPoints: [new URL("main.ts", import.meta.url).pathname],
    outfile,
    bundle: true,
    platform: "node",
    target: "node22",
    format: "cjs",
    minify: true,
    legalComments: "eof",
    // What follows -S are node's own words: a small young generation keeps the idle loader small.
    banner: { js: "#!/usr/bin/env -S node --max-semi-space-size=1" },
    logLevel: "warning",
  });
  await chmod(outfile, 0o755);
}

if (import.meta.main) await bundle(process.argv[2] ?? new URL("dist/tool-loader.cjs", import.meta.url).pathname);
