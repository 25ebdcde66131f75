// JavaScript, so that a node too old for main.ts can say so.
import process from "node:process";

if (!process.features.typescript) {
  const node = `${process.version} at ${process.execPath}`;
  process.stderr.write(
    `\nkeelson's cloudflare plugin needs a node that runs TypeScript (24 or later), found ${node}\n` +
      '  fix: run  eval "$(npm run --silent env)"  in the checkout, which finds or fetches one\n',
  );
  process.exit(1);
}
await import("./main.ts");
