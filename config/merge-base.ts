import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { UserError } from "../core/error.ts";

/** Where a branch left the branch that it is to be merged into. */
export interface MergeBase {
  /** Full commit id, hex. */
  readonly commit: string;
  /** @example "origin/main" */
  readonly branch: string;
  /** True where that commit is the one that is checked out. */
  readonly head: boolean;
}

/**
 * Where the checked-out commit left the default branch: what a pull request is compared with. In CI the branch that the
 * request goes to counts (GitHub's and GitLab's variables say which), else what the remote calls its HEAD, else main or
 * master.
 * @example (await mergeBase(root, process.env))?.branch // "origin/main"
 * @returns undefined where there is no git, no commit or no such branch.
 * @throws UserError in a clone that was made without the history that leads there.
 */
export async function mergeBase(root: string, environment: NodeJS.ProcessEnv): Promise<MergeBase | undefined> {
  const git = async (...args: string[]): Promise<string | undefined> => {
    try {
      return (await promisify(execFile)("git", ["-C", root, ...args])).stdout.trim();
    } catch {
      return undefined;
    }
  };
  const at = await git("rev-parse", "--verify", "--quiet", "HEAD^{commit}");
  if (at === undefined) return undefined;
  const remote = await git("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD");
  for (const branch of [...targets(environment), ...(remote ? [remote] : []), ...USUAL]) {
    const tip = await git("rev-parse", "--verify", "--quiet", `${branch}^{commit}`);
    if (tip === undefined) continue;
    const commit = await git("merge-base", at, tip);
    if (commit !== undefined) return { commit, branch, head: commit === at };
    const shallow = (await git("rev-parse", "--is-shallow-repository")) === "true";
    throw new UserError(
      `this clone does not have the commit where this branch left ${branch}`,
      shallow ? "fetch the history: `git fetch --unshallow`, or `fetch-depth: 0` in CI" : "name one with --since",
    );
  }
  return undefined;
}

const USUAL = ["origin/main", "origin/master", "main", "master"];

/** The branch that a pull or merge request goes to, or the default one, as CI systems tell it. */
function targets({
  GITHUB_BASE_REF,
  CI_MERGE_REQUEST_TARGET_BRANCH_NAME,
  CI_DEFAULT_BRANCH,
}: NodeJS.ProcessEnv): string[] {
  const names = [GITHUB_BASE_REF, CI_MERGE_REQUEST_TARGET_BRANCH_NAME, CI_DEFAULT_BRANCH];
  return names.flatMap((name) => (name ? [`origin/${name}`] : []));
}
