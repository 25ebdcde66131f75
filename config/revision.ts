import { execFileSync } from "node:child_process";
import semver from "semver";
import type { Revision } from "../core/tags.ts";

/**
 * What git says of the commit that is checked out at `root`; undefined where there is no git or no commit.
 * A folder inside a larger repository counts as that repository's.
 * @param sources folders whose untracked files reach builds: one of those makes the tree dirty; notes elsewhere don't.
 */
export function gitRevision(root: string, sources: readonly string[] = ["images"]): Revision | undefined {
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", root, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, TZ: "UTC" }, // the tag has the commit's date in UTC, on every machine
    }).trim();
  try {
    const [commit = "", date = ""] = git("log", "-1", "--format=%H %cd", "--date=format-local:%Y-%m-%d").split(" ");
    const tags = git("tag", "--points-at", "HEAD", "--list", "v*").split("\n");
    const changed = git("status", "--porcelain", "--untracked-files=no") !== "";
    const added = git("ls-files", "--others", "--exclude-standard", "--", ...sources) !== "";
    return { commit, date, release: newestRelease(tags), dirty: changed || added };
  } catch {
    return undefined;
  }
}

/** The highest version among the tags that are a `v` and a semver; other tags are no releases. */
function newestRelease(tags: readonly string[]): string | undefined {
  const versions = tags.map((tag) => tag.slice(1)).filter((version) => semver.valid(version) === version);
  return versions.toSorted(semver.compare).at(-1);
}
