import { UserError } from "../error.ts";
import { parseReference } from "../reference.ts";

/** What a version has, and names such as `stable`, `lts` or `alpine` lack: those name another image tomorrow. */
const VERSION = /^(?!latest).*\d/i;

/**
 * An image that a workload may run: by digest, or at least by a tag that stays.
 * @example workloadImage("ghcr.io/acme/todo-backend@sha256:…") // the same
 * @throws UserError for a tag that is no version (`latest`, `stable`, `latest-cuda12`), for no tag, and for what is no image
 */
export function workloadImage(image: string, workload: string): string {
  const fix = `write a digest, as outputs of Image have it (ref), or a version, such as ghcr.io/acme/app:1.2.0`;
  let tag: string | undefined;
  let digest: string | undefined;
  try {
    ({ tag, digest } = parseReference(image));
  } catch (error) {
    throw new UserError(`${workload}: ${(error as Error).message}`, fix);
  }
  if (digest !== undefined) return image;
  if (tag === undefined) throw new UserError(`${workload}: ${image} says no version, and that means latest`, fix);
  if (!VERSION.test(tag))
    throw new UserError(
      `${workload}: ${image} is another image tomorrow: nobody knows what runs, nor how to go back`,
      fix,
    );
  return image;
}
