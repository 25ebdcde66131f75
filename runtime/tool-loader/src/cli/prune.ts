import { prune } from "../load/job.ts";
import { openSession, say } from "./session.ts";

/** `tool-loader prune`: prints what it removes, or with `dry` would. */
export async function pruneByHand(dry: boolean): Promise<number> {
  let faults = 0;
  const shop = await openSession((event) => {
    if (event.event === "note") say(event.message);
    if (event.event === "volume" && event.fault !== null) {
      faults++;
      say(`the volume fails (${event.fault}): ${event.message}`);
    }
  });
  for (const what of await prune(shop, dry)) process.stdout.write(`${dry ? "would remove" : "removed"} ${what}\n`);
  return faults === 0 ? 0 : 1;
}
