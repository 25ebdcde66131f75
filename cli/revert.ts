import { Command } from "commander";
import { legacyTag, revertMoves } from "../core/channel.ts";
import { UserError } from "../core/error.ts";
import { hint } from "../core/lineage.ts";
import { isTag } from "../core/reference.ts";
import { formatTable } from "../core/table.ts";
import { confirm } from "./confirm.ts";
import { openStack } from "./targets.ts";

interface Options {
  readonly stack: string;
  readonly tag: readonly string[];
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** `keelson revert IMAGE --tag stable`: a promoted tag back to what it stood on before. */
export function revertCommand(): Command {
  return new Command("revert")
    .description(
      "put tags that a promote has moved back on what they stood on (their -legacy tags); hosts that follow them go back",
    )
    .argument("<image>", "name in the catalogue")
    .requiredOption(
      "--tag <tag>",
      "tag to put back, may be repeated",
      (tag: string, all: string[] = []) => [...all, tag],
      undefined as unknown as string[],
    )
    .option("-s, --stack <name>", "stack whose registry has it", "dev")
    .option("--dry-run", "show only what would move")
    .option("-y, --yes", "don't ask")
    .action(revert);
}

async function revert(name: string, options: Options): Promise<void> {
  const bad = options.tag.find((tag) => !isTag(tag));
  if (bad !== undefined)
    throw new UserError(`${JSON.stringify(bad)} is no tag`, "write letters, digits, dots, dashes; at most 128");
  const { plan, client } = await openStack(options.stack);
  const image = plan.images.find((i) => i.name === name);
  if (image === undefined) {
    const names = plan.images.map((i) => i.name);
    throw new UserError(
      `${JSON.stringify(name)} is no image of stack ${plan.stack}`,
      `name one of: ${names.join(", ") || "none"}${hint(name, names)}`,
    );
  }
  const { repository } = image;
  const standing = await Promise.all(
    options.tag
      .flatMap((tag) => [tag, legacyTag(tag)])
      .map(async (tag) => ({ tag, digest: (await client.headManifest(repository, tag))?.digest })),
  );
  const moves = revertMoves(options.tag, standing);
  if (moves.length === 0) return console.log("nothing to do: they stand where they stood before");
  const rows = moves.map(({ tag, before, after }) => [tag, short(before), short(after)]);
  console.log(`${client.host}/${repository}:\n${formatTable(["tag", "now", "then"], rows)}\n`);
  if (options.dryRun || (!options.yes && !(await confirm(`put ${options.tag.join(", ")} of ${name} back?`))))
    return console.log("nothing moved");
  // All of them are there before the first one moves.
  const found = await Promise.all(moves.map(({ after }) => client.getManifest(repository, after)));
  for (const [i, { tag }] of moves.entries()) {
    const manifest = found[i];
    if (manifest !== undefined)
      await client.putManifest(repository, tag, manifest.bytes, manifest.descriptor.mediaType);
  }
  console.log(`reverted ${options.tag.join(", ")}`);
}

function short(digest: string | undefined): string {
  return digest === undefined ? "(none)" : `${digest.slice(0, 19)}…`;
}
