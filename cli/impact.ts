import { Command } from "commander";
import { type Earlier, earlierSnapshot } from "../config/earlier.ts";
import { type Surroundings, surroundings } from "../config/load.ts";
import { pastBuilds } from "../config/past-builds.ts";
import { readStack } from "../config/read-stack.ts";
import { currentSnapshot } from "../config/snapshot.ts";
import { snapshotAt } from "../config/snapshot-at.ts";
import { UserError } from "../core/error.ts";
import { impact } from "../core/impact.ts";
import { formatImpact, impactMarkdown } from "../core/impact-render.ts";
import { projectRoot } from "../toolchain/home.ts";

interface Options {
  readonly stack: string;
  readonly since?: string;
  readonly json?: boolean;
  readonly markdown?: boolean;
}

/** `keelson impact`: which images a change rebuilds, why, and what that takes. */
export function impactCommand(): Command {
  return new Command("impact")
    .description("which images rebuild, by which chain down to the file, and what that takes")
    .option("-s, --stack <name>", "stack", "dev")
    .option(
      "--since <revision>",
      "compare with a commit, tag or branch; default: this checkout's last up, else where it left the default branch",
    )
    .option("--json", "as JSON")
    .option("--markdown", "as Markdown, for a pull request")
    .action(async (options: Options) => {
      const root = projectRoot();
      const around = surroundings(root);
      const config = await readStack(root, options.stack);
      const after = await currentSnapshot(root, options.stack, config, around);
      const { before, since } = await compared(root, options, around);
      const found = impact(before, after, pastBuilds(root, after.plan));
      if (options.json) console.log(JSON.stringify({ since, ...found }, null, 2));
      else if (options.markdown) console.log(`Compared with ${since}.\n\n${impactMarkdown(found)}`);
      else console.log(`compared with ${since}:\n${formatImpact(found)}`);
    });
}

/** What the checkout is compared with, and what that is in words. */
async function compared(root: string, { stack, since }: Options, around: Promise<Surroundings>): Promise<Earlier> {
  if (since !== undefined) return { before: await snapshotAt(root, since, stack, around), since };
  const earlier = await earlierSnapshot(root, stack, around);
  if (earlier !== undefined) return earlier;
  throw new UserError(
    `this checkout has not brought stack ${stack} up yet, and has no default branch to compare with`,
    "run `npm run up` first, fetch the branch (`fetch-depth: 0` in CI), or name a commit: keelson impact --since REVISION",
  );
}
