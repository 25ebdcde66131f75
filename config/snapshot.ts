import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { UserError } from "../core/error.ts";
import type { Snapshot } from "../core/impact.ts";
import { loadPlan, type Surroundings } from "./load.ts";
import type { StackConfig } from "./schema.ts";
import { readStackFile } from "./stack.ts";

/** A stack's plan with the bytes behind its hashes, from the checkout as it is. */
export async function currentSnapshot(
  root: string,
  stack: string,
  config: StackConfig,
  around: Surroundings,
): Promise<Snapshot> {
  const { plan, catalogue } = await loadPlan(root, stack, config, around);
  return { plan, catalogue };
}

/**
 * The same from a commit, without touching the checkout.
 * @throws UserError where git does not know the revision, or the stack was not there yet.
 */
export async function snapshotAt(
  root: string,
  revision: string,
  stack: string,
  around: Surroundings,
): Promise<Snapshot> {
  const folder = mkdtempSync(join(tmpdir(), "keelson-since-"));
  try {
    // `^{commit}` keeps a name that begins with a dash, or that names no commit, from meaning anything else.
    const { exitCode, stderr } = await execa(
      "sh",
      ["-c", 'git archive --format=tar "$1^{commit}" | tar -x -C "$2"', "sh", revision, folder],
      { cwd: root, reject: false },
    );
    if (exitCode !== 0 || stderr.includes("fatal:"))
      throw new UserError(
        `git can't give the tree of ${JSON.stringify(revision)}: ${stderr.split("\n")[0]}`,
        "name a commit, a tag or a branch that this clone has, such as origin/main",
      );
    return await currentSnapshot(folder, stack, readStackFile(folder, stack), around);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where `up` keeps what it last brought about, to compare the next preview with. */
function snapshotFile(root: string, stack: string): string {
  return join(root, ".keelson", `${stack}.snapshot.json`);
}

/** What the last `up` of this checkout brought about; undefined before the first. */
export async function lastSnapshot(root: string, stack: string): Promise<Snapshot | undefined> {
  try {
    return JSON.parse(await readFile(snapshotFile(root, stack), "utf8"));
  } catch {
    return undefined; // none yet, or cut short: the next up writes it anew
  }
}

export async function keepSnapshot(root: string, stack: string, { plan, catalogue }: Snapshot): Promise<void> {
  const file = snapshotFile(root, stack);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify({ plan, catalogue }));
}
