// JavaScript, so that a node too old for TypeScript can say so. Prints two lines: the folder of keelson's builders, for
// BUILDX_CONFIG, and the path of Pulumi's docker-build plugin, which is fetched or built where it is missing.
import process from "node:process";

if (!process.features.typescript) {
  const node = `${process.version} at ${process.execPath}`;
  process.stderr.write(
    `\nthe docker-build plugin is found by a node that runs TypeScript (24 or later), this is ${node}\n` +
      '  fix: run  eval "$(npm run --silent env)"  in the checkout, which finds or fetches one\n',
  );
  process.exit(1);
}
const [{ ensureTool }, { buildxConfigDirectory }] = await Promise.all([
  import("../../toolchain/tools.ts"),
  import("../../toolchain/buildx.ts"),
]);
try {
  const { path } = await ensureTool("docker-build");
  process.stdout.write(`${buildxConfigDirectory()}\n${path}\n`);
} catch (error) {
  process.stderr.write("fix" in error ? `${error.message}\n  fix: ${error.fix}\n` : `${error.stack}\n`);
  process.exit(1);
}
