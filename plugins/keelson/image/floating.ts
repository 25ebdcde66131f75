import { floatingTags, promotedTags } from "../../../core/tags.ts";
import type { RegistryClient } from "../../../oci/client.ts";
import type { ImageInputs } from "./inputs.ts";

/**
 * What a promote of an image would move, in words: `latest`, `X` and `X.Y` stay where they are until then. Only releases
 * have such tags.
 * @param digest that the image has, or will have; undefined where it is not known before it is built
 * @returns undefined where none would move: there is no release, it has them, or a higher one does.
 * @example "a promote moves 1.2 (new), latest (from sha256:0123456789ab…)"
 */
export async function floatingMoves(
  client: Pick<RegistryClient, "listTags" | "headManifest">,
  { repository, tags: own, release }: Pick<ImageInputs, "repository" | "tags" | "release">,
  digest: string | undefined,
): Promise<string | undefined> {
  const put = release === undefined ? [] : [release];
  const tags = [...put, ...own];
  if (put.length === 0 && tags.flatMap(floatingTags).length === 0) return undefined;
  const floating = promotedTags(tags, await client.listTags(repository)).filter(({ higher }) => higher === undefined);
  const moves = await Promise.all(
    [...put, ...floating.map(({ tag }) => tag)].map(async (tag) => ({
      tag,
      from: (await client.headManifest(repository, tag))?.digest,
    })),
  );
  const moving = moves.filter(({ from }) => from === undefined || from !== digest);
  if (moving.length === 0) return undefined;
  const words = moving.map(({ tag, from }) => `${tag} (${from === undefined ? "new" : `from ${from.slice(0, 19)}…`})`);
  return `a promote moves ${words.join(", ")}`;
}
