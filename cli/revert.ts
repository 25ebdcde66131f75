import { Command } from "commander";
import { legacyTag, revertMoves } from "../core/channel.ts";
import { formatTable } from "../core/table.ts";
import { confirm } from "./confirm.ts";
import { checkTags, openStack, plannedImage } from "./targets.ts";

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
  checkTags(options.tag);
  const stack = await openStack(options.stack);
  const { client } = stack;
  const { repository } = plannedImage(stack, name);
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
