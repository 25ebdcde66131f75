import semver from "semver";
import { cacheTag } from "./build-options.ts";
import { PLATFORMS, type Platform, platformSlug } from "./platform.ts";

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

/** What git says of sources that a stack names, in a repository of their own. */
export interface SourceRevision {
  /** Semver tag of a clean checkout that stands on one, without its `v`. */
  readonly release?: string | undefined;
}

/**
 * Tags of an image at a revision, which never move; none for a dirty tree, since a tag must not name a commit that it isn't.
 * - a release commit: `X.Y.Z`; the tags that move with it are {@link floatingTags}, for a promotion to move;
 * - any other: `<family>-<YYYYMMDD>-<sha>`, with `-<track>` for GPU images, such as `-cu121`.
 * @param contentHash of an image that a stack's config has a say in (its machine, its sources): other stacks make another
 *   image of the same commit, so the first eight digits of the hash follow.
 * @example imageTags({ family: "worker" }, { commit: "d9330cd0…", date: "2026-11-21", dirty: false })
 * // ["worker-20261121-d9330cd"]
 */
export function imageTags(
  image: { readonly family: string; readonly track?: string },
  revision: Revision | undefined,
  contentHash?: string,
): string[] {
  if (revision === undefined || revision.dirty) return [];
  const suffix = [image.track, contentHash?.slice(0, 8)].map((part) => (part === undefined ? "" : `-${part}`)).join("");
  if (revision.release !== undefined) return [`${parseRelease(revision.release).version}${suffix}`];
  return [`${image.family}-${revision.date.replaceAll("-", "")}-${revision.commit.slice(0, 7)}${suffix}`];
}

/**
 * What the sources say of an image's version that it is made from, of those that a stack names.
 * @param sources undefined for whatever else of the stack's config has a say in the image
 * @returns undefined where they have no say in its version; no release where they are none, or of several
 * @example sourceVersion([{ release: "1.4.0" }, { release: "1.4.0" }]) // { release: "1.4.0" }
 */
export function sourceVersion(sources: readonly (SourceRevision | undefined)[]): SourceRevision | undefined {
  const [first] = sources;
  if (sources.includes(undefined)) return undefined;
  return sources.some((source) => source?.release !== first?.release) ? {} : first;
}

/**
 * The tag that a promotion puts on an image of a stack's own sources, with those that move with it: their release. Until
 * then the image has it with digits of its content's hash: other stacks, and later states of the project, make other images
 * of the same release.
 * @example sourceRelease({ track: "cu121" }, { commit: "d9330cd0…", date: "2026-11-21", dirty: false }, { release: "1.4.0" })
 * // "1.4.0-cu121"
 */
export function sourceRelease(
  image: { readonly family: string; readonly track?: string },
  revision: Revision | undefined,
  sources: SourceRevision | undefined,
): string | undefined {
  if (revision === undefined || sources?.release === undefined) return undefined;
  return imageTags(image, { ...revision, release: sources.release })[0];
}

/**
 * True for a tag that {@link imageTags} ends with digits of the content's hash. Such images have no moving tags: each stack
 * makes another one of the same release, and `latest` of a repository that several push to would mean whichever came last.
 * @example namesContent("1.2.3-0ab1c2d3", "0ab1c2d3…") // true
 */
export function namesContent(tag: string, contentHash: string): boolean {
  return tag.endsWith(`-${contentHash.slice(0, 8)}`);
}

/**
 * Tags that move from release to release: the short versions and `latest`. A pre-release moves none.
 * @param tag a release's own, as {@link imageTags} gives it, with the CUDA track of GPU images
 * @example floatingTags("1.2.3-cu121") // ["1.2-cu121", "1-cu121", "latest-cu121"]
 */
export function floatingTags(tag: string): string[] {
  const release = readRelease(tag);
  if (release === undefined || release.version.prerelease.length > 0) return [];
  const { version, suffix } = release;
  return [`${version.major}.${version.minor}`, `${version.major}`, "latest"].map((short) => `${short}${suffix}`);
}

/**
 * Whether a floating tag may go to a release: never to a lower version than the highest that already stands in the
 * repository and that the tag could stand on.
 * @param there all tags of the repository
 * @returns the higher release's tag, which keeps the floating tag where it is; undefined where it may move
 * @example higherRelease("1.2.3", "1.2", ["1.2.4", "1.3.0"]) // "1.2.4"
 */
export function higherRelease(release: string, floating: string, there: readonly string[]): string | undefined {
  const own = readRelease(release);
  if (own === undefined) return undefined;
  const higher = there.flatMap((tag) => {
    const other = readRelease(tag);
    const above = other !== undefined && semver.gt(other.version, own.version);
    return above && floatingTags(tag).includes(floating) ? [{ tag, version: other.version }] : [];
  });
  return higher.toSorted((a, b) => semver.rcompare(a.version, b.version))[0]?.tag;
}

/** A tag that moves with releases, and the higher release that keeps it where it is. */
export interface FloatingTag {
  readonly tag: string;
  readonly higher: string | undefined;
}

/**
 * What a promotion does with the floating tags of releases: it moves those that no higher release keeps.
 * @param there all tags of the repository
 * @example promotedTags(["1.2.3"], ["1.3.0"])
 * // [{ tag: "1.2", higher: undefined }, { tag: "1", higher: "1.3.0" }, { tag: "latest", higher: "1.3.0" }]
 */
export function promotedTags(releases: readonly string[], there: readonly string[]): FloatingTag[] {
  return releases.flatMap((release) =>
    floatingTags(release).map((tag) => ({ tag, higher: higherRelease(release, tag, there) })),
  );
}

/** The version that a tag names, and its track: a track is no pre-release, though it is written like one. */
function readRelease(tag: string): { readonly version: semver.SemVer; readonly suffix: string } | undefined {
  const [, text = "", suffix = ""] = /^(.+?)(-cu\d+)?$/.exec(tag) ?? [];
  const version = semver.parse(text);
  return version === null || version.version !== text ? undefined : { version, suffix };
}

/** @throws RangeError when the version is no semver. */
function parseRelease(version: string): semver.SemVer {
  const parsed = semver.parse(version);
  if (parsed === null)
    throw new RangeError(`expected a semver version such as 1.2.3, found ${JSON.stringify(version)}`);
  return parsed;
}

/** The tag that stands on an image of a content hash, once it is whole and checked. @example hashTag("0ab1…") // "h-0ab1…" */
export function hashTag(contentHash: string): string {
  return `h-${contentHash}`;
}

/**
 * The tag on one platform that was pushed and not yet checked: nothing is found or run by it.
 * @example uncheckedTag("0ab1…", "linux/arm64") // "unchecked-0ab1…-linux-arm64"
 */
export function uncheckedTag(contentHash: string, platform: Platform): string {
  return `unchecked-${contentHash}-${platformSlug(platform)}`;
}

/**
 * True for a tag that a build gives by itself, to be found again by it and by nobody else: of a content hash, of a
 * platform that waits for others or for its checks, of a build's cache.
 * @example isBuildTag(hashTag("0ab1…")) // true
 */
export function isBuildTag(tag: string): boolean {
  return /^(?:h|unchecked)-[0-9a-f]{64}(?:-[a-z0-9-]+)?$/.test(tag) || PLATFORMS.some((p) => cacheTag(p) === tag);
}

/** True for a tag of the form that {@link imageTags} gives a commit, whoever gave it. @example isCommitTag("worker-20261121-d9330cd") // true */
export function isCommitTag(tag: string): boolean {
  return /^[a-z0-9._-]+-\d{8}-[0-9a-f]{7}(?:-[a-z0-9]+){0,2}$/.test(tag);
}
