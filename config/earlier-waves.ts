import { z } from "zod";
import { UserError } from "../core/error.ts";
import { type EarlierWaves, type RecordedService, servicesToAsk, whyWait } from "../core/fleet/earlier.ts";
import { whyUnhealthy } from "../toolchain/healthy.ts";
import { mapBounded } from "../toolchain/parallel.ts";

/** Of a stack's outputs, what tells of its services. */
const outputs = z.looseObject({
  services: z.record(
    z.string(),
    z.looseObject({ wave: z.string(), health: z.url().optional(), optional: z.boolean().optional() }),
  ),
});

/** Services that are asked at a time. */
const AT_ONCE = 16;

/**
 * Asks the services of another stack that come first whether they are healthy.
 * @param found the stack's outputs; undefined where it was never brought up
 * @returns why this stack's services must wait; undefined where they need not.
 */
export async function whyNotYet(
  earlier: EarlierWaves,
  found: unknown,
  ask: (address: string) => Promise<string | undefined> = whyUnhealthy,
): Promise<UserError | undefined> {
  const parsed = outputs.safeParse(found);
  const services =
    parsed.data && Object.entries(parsed.data.services).map(([name, one]): RecordedService => ({ name, ...one }));
  const silent = new Map<string, string>();
  await mapBounded(servicesToAsk(earlier, services ?? []), AT_ONCE, async ({ name, health }) => {
    const why = await ask(health);
    if (why !== undefined) silent.set(name, why);
  });
  const why = whyWait(earlier, services, silent);
  return why === undefined
    ? undefined
    : new UserError(
        `keelson:machine.after: ${why}`,
        `bring it up first (\`npm run up -- -s ${earlier.stack}\`, \`npm run keelson -- status -s ${earlier.stack}\`), or take keelson:machine.after out`,
      );
}
