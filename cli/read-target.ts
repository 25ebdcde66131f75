import { UserError } from "../core/error.ts";
import { type ReadPlatform, readImage } from "../oci/analyze.ts";
import { scanCache, type Target } from "./targets.ts";

/**
 * Reads a target's platforms layer by layer; what was read of a layer before is not read again.
 * @param platform only this one. Default: all.
 * @throws UserError for an image that is not there, or not for this platform
 */
export async function readTarget(target: Target, platform?: string): Promise<ReadPlatform[]> {
  const { client, repository, reference, name } = target;
  try {
    const found = await readImage({
      client,
      repository,
      reference,
      cache: scanCache(),
      ...(platform === undefined ? {} : { platforms: [platform] }),
    });
    if (found.length > 0) return found;
  } catch (error) {
    if (!isMissing(error)) throw error;
    const fix = target.planned
      ? "bring its stack up first: `npm run up`, with `-- --stack NAME` where it is not dev"
      : "check its name and tag";
    throw new UserError(`${name} is not in ${client.host} as ${repository}:${reference}`, fix, { cause: error });
  }
  throw new UserError(`${name} has no ${platform ?? "platform at all"}`, "name one that it was built for");
}

const isMissing = (error: unknown): boolean => error instanceof UserError && "status" in error && error.status === 404;
