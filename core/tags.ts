import semver from "semver";

/** What git says of the commit that is built. */
export interface Revision {
  /** Full commit id, hex. */
  readonly commit: string;
  /** The commit's date in UTC, `YYYY-MM-DD`. */
  readonly date: string;
  /** Semver tag that stands on the commit, without its `v`. */
  readonly release?: string | undefined;
  /** True when what builds may see differs from the commit: then no tag may claim it. */
  readonly dirty: boolean;
}

/**
 * Tags of an image at a revision; none for a dirty tree, since a tag must not name a commit that it isn't.
 * - a release commit: `X.Y.Z`, `X.Y`, `X`, `latest`; a pre-release only its own version;
 * - any other: `<family>-<YYYYMMDD>-<sha>`, with `-<track>` for GPU images, such as `-cu121`.
 * @example imageTags({ family: "worker" }, { commit: "d9330cd0…", date: "2026-11-21", dirty: false })
 * // ["worker-20261121-d9330cd"]
 */
export function imageTags(
  image: { readonly family: string; readonly track?: string },
  revision: Revision | undefined,
): string[] {
  if (revision === undefined || revision.dirty) return [];
  const suffix = image.track === undefined ? "" : `-${image.track}`;
  if (revision.release !== undefined) return releaseTags(revision.release).map((tag) => `${tag}${suffix}`);
  return [`${image.family}-${revision.date.replaceAll("-", "")}-${revision.commit.slice(0, 7)}${suffix}`];
}

/**
 * Tags of a semver release; the short ones and `latest` are moved by final releases only.
 * @example releaseTags("1.2.3") // ["1.2.3", "1.2", "1", "latest"]
 * @throws RangeError when the version is no semver.
 */
export function releaseTags(version: string): string[] {
  const parsed = semver.parse(version);
  if (parsed === null)
    throw new RangeError(`expected a semver version such as 1.2.3, found ${JSON.stringify(version)}`);
  if (parsed.prerelease.length > 0) return [parsed.version];
  return [parsed.version, `${parsed.major}.${parsed.minor}`, `${parsed.major}`, "latest"];
}

/** The tag that stands on an image of a content hash, once it is whole and checked. @example hashTag("0ab1…") // "h-0ab1…" */
export function hashTag(contentHash: string): string {
  return `h-${contentHash}`;
}
