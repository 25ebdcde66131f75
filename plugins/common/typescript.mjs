// JavaScript, so that a node too old for TypeScript can say so.
import process from "node:process";

/** Ends this process where its node can't run a plugin's main.ts. @param {string} plugin */
export function needTypeScript(plugin) {
  if (process.features.typescript) return;
  const node = `${process.version} at ${process.execPath}`;
  process.stderr.write(
    `\nkeelson's ${plugin} needs a node that runs TypeScript (24 or later), found ${node}\n` +
      '  fix: run  eval "$(npm run --silent env)"  in the checkout, which finds or fetches one\n',
  );
  process.exit(1);
}
