import { UserError } from "./error.ts";

/** A tag and the digest that it stands on. */
export interface StandingTag {
  readonly tag: string;
  /** Undefined: there is no such tag. */
  readonly digest: string | undefined;
}

/** A tag that goes from one digest to another. */
export interface TagMove {
  readonly tag: string;
  readonly before: string | undefined;
  readonly after: string;
}

/** At most 128 characters make a tag; a channel leaves room for its {@link legacyTag}. */
export const CHANNEL = /^(?!h-)[A-Za-z0-9_][\w.-]{0,120}$/;

/** The tag on what a moving tag stood on before: the way back. @example legacyTag("stable") // "stable-legacy" */
export function legacyTag(tag: string): string {
  return `${tag}-legacy`;
}

/**
 * What keeps the way back open when tags go to a digest: each that stood elsewhere leaves its legacy tag there.
 * @param standing the tags that move, as they stand
 * @example legacyMoves([{ tag: "stable", digest: "sha256:1…" }], "sha256:2…") // [{ tag: "stable-legacy", digest: "sha256:1…" }]
 */
export function legacyMoves(
  standing: readonly StandingTag[],
  after: string,
): { readonly tag: string; readonly digest: string }[] {
  return standing.flatMap(({ tag, digest }) =>
    digest === undefined || digest === after || isLegacy(tag) || !CHANNEL.test(tag)
      ? []
      : [{ tag: legacyTag(tag), digest }],
  );
}

/**
 * The moves of a revert: each tag goes to what its legacy tag stands on, and the legacy tag to what the tag stood on, so that a
 * revert can be reverted.
 * @param standing all tags of the repository that matter, as they stand
 * @throws UserError for a tag that never moved
 */
export function revertMoves(tags: readonly string[], standing: readonly StandingTag[]): TagMove[] {
  const digests = new Map(standing.map(({ tag, digest }) => [tag, digest]));
  return tags.flatMap((tag): TagMove[] => {
    const [now, before] = [digests.get(tag), digests.get(legacyTag(tag))];
    if (now === undefined || before === undefined)
      throw new UserError(
        now === undefined ? `there is no tag ${tag}` : `${tag} has not moved yet: there is no tag ${legacyTag(tag)}`,
        "name a tag that a promote has moved",
      );
    if (now === before) return [];
    return [
      { tag, before: now, after: before },
      { tag: legacyTag(tag), before, after: now },
    ];
  });
}

function isLegacy(tag: string): boolean {
  return tag.endsWith("-legacy");
}
