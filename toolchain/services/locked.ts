import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../core/error.ts";
import { prepareHome } from "../home.ts";
import { describeHolder, withLock } from "../lock.mjs";
import type { Progress } from "../progress.ts";

/**
 * Runs work on the embedded services; one at a time on a machine.
 * @param name of the lock: what takes long and needs the others has one of its own
 * @throws UserError where there are none: off Linux.
 */
export async function locked<T>(
  what: string,
  progress: Progress,
  work: (services: string) => Promise<T>,
  name = "services",
): Promise<T> {
  requireLinux();
  const { services, locks } = prepareHome();
  await chmod(services, 0o700); // keys, and whatever a build's cache holds
  return withLock(join(locks, `${name}.lock`), () => work(services), {
    what,
    onWait: (holder) => progress.say(`waiting for ${describeHolder(holder)}`),
  });
}

function requireLinux(): void {
  if (process.platform !== "linux")
    throw new UserError(
      `the embedded builder needs Linux, found ${process.platform}`,
      "set keelson:builder to docker, or to remote with the address of a BuildKit daemon",
    );
}
