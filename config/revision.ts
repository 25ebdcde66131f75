import { execFile } from "node:child_process";
import { promisify } from "node:util";
import semver from "semver";
import type { Revision, SourceRevision } from "../core/tags.ts";

/**
 * Three lines of the commit, then whatever is changed or added. One process for all three questions: while node starts one, which takes it
 * 20 ms with a program of this size loaded, it does nothing else.
 */
const ASK = `
set -e
root=$1
shift
git -C "$root" log -1 --format=%H%n%cd%n%D --date=format-local:%Y-%m-%d --decorate-refs='refs/tags/v*'
git -C "$root" status --porcelain --untracked-files=no
git -C "$root" ls-files --others --exclude-standard -- "$@"
`;

/**
 * What git says of the commit that is checked out at `root`; undefined where there is no git or no commit.
 * A folder inside a larger repository counts as that repository's.
 * @param sources folders whose untracked files reach builds: one of those makes the tree dirty; notes elsewhere don't.
 */
export async function gitRevision(
  root: string,
  sources: readonly string[] = ["images"],
): Promise<Revision | undefined> {
  // The tag has the commit's date in UTC, on every machine.
  const env = { ...process.env, TZ: "UTC" };
  try {
    const { stdout } = await promisify(execFile)("sh", ["-c", ASK, "sh", root, ...sources], {
      env,
      maxBuffer: 64 << 20,
    });
    const [commit = "", date = "", tags = "", ...differing] = stdout.split("\n");
    return {
      commit,
      date,
      release: newestRelease(tags.replaceAll("tag: ", "").split(", ")),
      dirty: differing.some((line) => line !== ""),
    };
  } catch {
    return undefined;
  }
}

/**
 * What git says of sources that a stack names, where they are in a repository of their own; undefined where they have none,
 * or the project's. Their release is on what the project's is: a clean checkout exactly on a tag `vX.Y.Z`.
 * @param project whose repository the sources' may be
 */
export async function sourceRevision(folder: string, project: string): Promise<SourceRevision | undefined> {
  const [own, projects] = await Promise.all([repositoryAt(folder), repositoryAt(project)]);
  if (own === undefined || own === projects) return undefined;
  // Of the folder itself all that is not ignored reaches the build.
  const revision = await gitRevision(folder, ["."]);
  return revision?.release === undefined || revision.dirty ? {} : { release: revision.release };
}

async function repositoryAt(folder: string): Promise<string | undefined> {
  try {
    return (await promisify(execFile)("git", ["-C", folder, "rev-parse", "--show-toplevel"])).stdout.trimEnd();
  } catch {
    return undefined;
  }
}

/** The highest version among the tags that are a `v` and a semver; other tags are no releases. */
function newestRelease(tags: readonly string[]): string | undefined {
  const versions = tags.map((tag) => tag.slice(1)).filter((version) => semver.valid(version) === version);
  return versions.toSorted(semver.compare).at(-1);
}
