import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { UserError } from "../core/error.ts";
import type { Snapshot } from "../core/impact.ts";
import type { Surroundings } from "./load.ts";
import { currentSnapshot } from "./snapshot.ts";
import { readStackFile } from "./stack-file.ts";

/**
 * A stack's snapshot as a commit has it, without touching the checkout.
 * @throws UserError where git does not know the revision, or the stack was not there yet.
 */
export async function snapshotAt(
  root: string,
  revision: string,
  stack: string,
  around: Surroundings | Promise<Surroundings>,
): Promise<Snapshot> {
  const folder = mkdtempSync(join(tmpdir(), "keelson-since-"));
  try {
    // What is given is a name and nothing else: git must not take one that begins with a dash for an option.
    const named = await execa("git", ["rev-parse", "--verify", "--end-of-options", `${revision}^{commit}`], {
      cwd: root,
      reject: false,
    });
    const script = 'git archive --format=tar "$1" | tar -x -C "$2"';
    const { exitCode, stderr } =
      named.exitCode === 0
        ? await execa("sh", ["-c", script, "sh", named.stdout, folder], { cwd: root, reject: false })
        : named;
    if (exitCode !== 0 || stderr.includes("fatal:"))
      throw new UserError(
        `git can't give the tree of ${JSON.stringify(revision)}: ${stderr.split("\n")[0]}`,
        "name a commit, a tag or a branch that this clone has, such as origin/main",
      );
    return await currentSnapshot(folder, stack, readStackFile(folder, stack), around, root).catch((error: Error) => {
      if (!(error instanceof UserError)) throw error;
      throw new UserError(`${revision} has no plan to compare with: ${error.message}`, "name another commit", {
        cause: error,
      });
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
