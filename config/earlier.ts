import type { Snapshot } from "../core/impact.ts";
import type { Surroundings } from "./load.ts";
import { lastSnapshot } from "./snapshot.ts";

/** What a checkout's plan is compared with, and what that is in words. */
export interface Earlier {
  readonly before: Snapshot;
  readonly since: string;
}

/**
 * The stack as this checkout last brought it up; where it never has, as in CI, where this branch left the default one.
 * @returns undefined where there is neither
 * @throws UserError where the stack has no plan at that commit
 */
export async function earlierSnapshot(
  root: string,
  stack: string,
  around: Surroundings | Promise<Surroundings>,
): Promise<Earlier | undefined> {
  const last = await lastSnapshot(root, stack);
  if (last !== undefined) return { before: last, since: `this checkout's last up of stack ${stack}` };
  // Every preview comes this way; what follows is for those of a clone that has brought nothing up.
  const [{ mergeBase }, { snapshotAt }] = await Promise.all([import("./merge-base.ts"), import("./snapshot-at.ts")]);
  const left = await mergeBase(root, process.env);
  if (left === undefined) return undefined;
  const { commit, branch, head } = left;
  const where = head
    ? `the commit that is checked out, which ${branch} has (--since HEAD^ shows what it changed)`
    : `${commit.slice(0, 12)}, where this branch left ${branch}`;
  return {
    before: await snapshotAt(root, commit, stack, around),
    since: `${where}, since this checkout has not brought stack ${stack} up`,
  };
}
