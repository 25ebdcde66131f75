import { execFileSync } from "node:child_process";
import type { Revision } from "../core/tags.ts";

/**
 * What git says of the commit that is checked out at `root`; undefined where there is no git or no commit.
 * A folder inside a larger repository counts as that repository's.
 */
export function gitRevision(root: string): Revision | undefined {
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", root, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, TZ: "UTC" }, // the tag has the commit's date in UTC, on every machine
    }).trim();
  try {
    const [commit = "", date = ""] = git("log", "-1", "--format=%H %cd", "--date=format-local:%Y-%m-%d").split(" ");
    const release = git("tag", "--points-at", "HEAD", "--list", "v*.*.*").split("\n").filter(Boolean).toSorted().at(-1);
    const dirty = git("status", "--porcelain", "--untracked-files=no") !== "";
    return { commit, date, release: release?.slice(1), dirty };
  } catch {
    return undefined;
  }
}
