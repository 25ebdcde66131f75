import { execFile } from "node:child_process";
import { promisify } from "node:util";
import semver from "semver";
import type { Revision } from "../core/tags.ts";

/**
 * What git says of the commit that is checked out at `root`; undefined where there is no git or no commit.
 * A folder inside a larger repository counts as that repository's.
 * @param sources folders whose untracked files reach builds: one of those makes the tree dirty; notes elsewhere don't.
 */
export async function gitRevision(
  root: string,
  sources: readonly string[] = ["images"],
): Promise<Revision | undefined> {
  const git = async (...args: string[]) => {
    // The tag has the commit's date in UTC, on every machine.
    const env = { ...process.env, TZ: "UTC" };
    return (await promisify(execFile)("git", ["-C", root, ...args], { env, maxBuffer: 64 << 20 })).stdout.trim();
  };
  try {
    const [head, changed, added] = await Promise.all([
      git("log", "-1", "--format=%H%n%cd%n%D", "--date=format-local:%Y-%m-%d", "--decorate-refs=refs/tags/v*"),
      git("status", "--porcelain", "--untracked-files=no"),
      git("ls-files", "--others", "--exclude-standard", "--", ...sources),
    ]);
    const [commit = "", date = "", tags = ""] = head.split("\n");
    return {
      commit,
      date,
      release: newestRelease(tags.replaceAll("tag: ", "").split(", ")),
      dirty: changed !== "" || added !== "",
    };
  } catch {
    return undefined;
  }
}

/** The highest version among the tags that are a `v` and a semver; other tags are no releases. */
function newestRelease(tags: readonly string[]): string | undefined {
  const versions = tags.map((tag) => tag.slice(1)).filter((version) => semver.valid(version) === version);
  return versions.toSorted(semver.compare).at(-1);
}
