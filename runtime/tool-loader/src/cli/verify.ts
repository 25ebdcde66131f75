import { realpath } from "node:fs/promises";
import { reasonOf, ToolError } from "../error.ts";
import { verify } from "../load/commands.ts";
import { keptAs } from "../load/workshop.ts";
import { installedTool } from "../local/store.ts";
import { specsNamed } from "../spec/named.ts";
import { openSession, say } from "./session.ts";

/** `tool-loader verify`: runs the checks of what is installed; those named must be. @returns 1 when one fails */
export async function verifyByHand(names: readonly string[]): Promise<number> {
  const shop = await openSession((event) => event.event === "note" && say(event.message));
  const specs = names.length > 0 ? specsNamed(shop.specs, names) : [...shop.specs.values()];
  let failed = 0;
  for (const spec of specs) {
    const marker = await installedTool(shop.at, spec, keptAs(shop, spec).fingerprint);
    if (marker === undefined && spec.priority !== "immediate") {
      if (names.length > 0) failed++;
      process.stdout.write(`${spec.name}: not installed\n`);
      continue;
    }
    try {
      await verify(shop, spec, marker === undefined ? "/usr" : await realpath(shop.at.visible(spec)));
      process.stdout.write(`${spec.name}: works\n`);
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      failed++;
      process.stdout.write(`${spec.name}: does not work: ${reasonOf(error)}\n`);
    }
  }
  return failed === 0 ? 0 : 1;
}
