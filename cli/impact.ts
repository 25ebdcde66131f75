import { Command } from "commander";
import { surroundings } from "../config/load.ts";
import { pastBuilds } from "../config/past-builds.ts";
import { currentSnapshot, lastSnapshot } from "../config/snapshot.ts";
import { snapshotAt } from "../config/snapshot-at.ts";
import { readStackFile } from "../config/stack-file.ts";
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
    .option("--since <revision>", "compare with a commit, tag or branch; default: this checkout's last up")
    .option("--json", "as JSON")
    .option("--markdown", "as Markdown, for a pull request")
    .action(async (options: Options) => {
      const root = projectRoot();
      const around = surroundings(root);
      const config = readStackFile(root, options.stack);
      const after = await currentSnapshot(root, options.stack, config, around);
      const before =
        options.since === undefined
          ? await lastSnapshot(root, options.stack)
          : await snapshotAt(root, options.since, options.stack, around);
      if (before === undefined)
        throw new UserError(
          `this checkout has not brought stack ${options.stack} up yet, so there is nothing to compare with`,
          "run `npm run up` first, or name a commit: keelson impact --since origin/main",
        );
      const found = impact(before, after, pastBuilds(root, after.plan));
      if (options.json) console.log(JSON.stringify(found, null, 2));
      else console.log(options.markdown ? impactMarkdown(found) : formatImpact(found));
    });
}
