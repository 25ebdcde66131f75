import { Command } from "commander";
import { legacyMoves } from "../core/channel.ts";
import { UserError } from "../core/error.ts";
import type { PlannedImage } from "../core/plan.ts";
import { formatBytes } from "../core/size.ts";
import { formatTable } from "../core/table.ts";
import { type FloatingTag, floatingTags, hashTag, higherRelease, namesContent, promotedTags } from "../core/tags.ts";
import { copyImage } from "../oci/copy.ts";
import { type PublishedPlatform, pullPublished, readPublished } from "../oci/published.ts";
import { hasVerdict } from "../oci/verdict.ts";
import { confirm } from "./confirm.ts";
import { checkTags, openStack, plannedImage, type Stack } from "./targets.ts";

interface Options {
  readonly from: string;
  readonly to: string;
  readonly tag: readonly string[];
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** `keelson promote IMAGE --from dev --to prod`: what was built and checked there serves here; nothing is built again. */
export function promoteCommand(): Command {
  return new Command("promote")
    .description(
      "copy an image by digest from one stack's registry to another's: all platforms, signatures and SBOMs; no rebuild",
    )
    .argument("<image>", "name in the catalogue")
    .requiredOption("--from <stack>", "stack that has built and checked it")
    .requiredOption("--to <stack>", "stack that shall run it")
    .option(
      "--tag <tag>",
      "tag to put on it there, may be repeated; default: the plan's, and for a release X.Y, X and latest",
      (tag: string, all: string[]) => [...all, tag],
      [],
    )
    .option("--dry-run", "show only what would move")
    .option("-y, --yes", "don't ask")
    .action(promote);
}

async function promote(name: string, options: Options): Promise<void> {
  checkTags(options.tag);
  const [from, to] = [await openStack(options.from), await openStack(options.to)];
  const source = plannedImage(from, name);
  // Tags say what the image is that is copied, which the other stack's config may make another one.
  const released = source.release === undefined ? [] : [source.release];
  const target = { ...plannedImage(to, name), tags: [...released, ...source.tags] };
  const hash = hashTag(source.contentHash);
  const found = await from.client.headManifest(source.repository, hash);
  if (!found) {
    throw new UserError(
      `${name} as it stands in this checkout is not in ${from.client.host} as ${source.repository}:${hash.slice(0, 14)}…`,
      `build and check it first: \`npm run keelson -- up -s ${options.from}\``,
    );
  }
  const floating = options.tag.length > 0 ? [] : await floatingOf(to, target);
  const shorter = floating.filter(({ higher }) => higher === undefined).map(({ tag }) => tag);
  const tags = [...new Set([hash, ...(options.tag.length > 0 ? options.tag : target.tags), ...shorter])];
  const moves = await Promise.all(
    tags.map(async (tag) => ({ tag, before: (await to.client.headManifest(target.repository, tag))?.digest })),
  );
  const moving = moves.filter(({ before }) => before !== found.digest);
  const legacy = legacyMoves(
    moving.map(({ tag, before }) => ({ tag, digest: before })),
    found.digest,
  );
  show(to, target, moves, found.digest);
  for (const { tag, higher } of floating)
    if (higher !== undefined) console.log(`${tag} stays where it is: ${higher} is higher`);
  if (options.tag.length === 0 && released.length === 0 && isRelease(source))
    console.log(
      `no latest or short version moves: ${name} is as the config of stack ${options.from} makes it; --tag latest-${options.to} puts such a tag on it`,
    );
  await refuseMoves(to, target, moving);
  for (const { tag, digest } of legacy) console.log(`${tag} stays on ${digest.slice(0, 19)}…, for a revert`);
  if (source.contentHash !== target.contentHash) {
    console.log(
      `stack ${options.to} builds ${name} with other arguments or bases (${hashTag(target.contentHash).slice(0, 14)}…): its next up will not take this one`,
    );
  }
  if (!(await hasVerdict(from.client, source.repository, found.digest)))
    console.log(`no verdict says that it passed its smoke test and gates: the next up of stack ${options.to} tests it`);
  if (moving.length === 0) return console.log("nothing to do");
  if (options.dryRun || (!options.yes && !(await confirm(`promote ${name} to ${options.to}?`))))
    return console.log("nothing promoted");
  // The way back stands before the tags move: hosts that follow one go back to it by `keelson revert`.
  for (const { tag, digest } of legacy) {
    const { bytes, descriptor } = await to.client.getManifest(target.repository, digest);
    await to.client.putManifest(target.repository, tag, bytes, descriptor.mediaType);
  }
  const result = await copyImage({
    from: { client: from.client, repository: source.repository },
    to: { client: to.client, repository: target.repository },
    reference: found.digest,
    tags,
  });
  // What people install by its version is pulled as they will.
  const isVersion = tags.some((tag) => /^\d+\.\d+\.\d+/.test(tag) && !namesContent(tag, source.contentHash));
  const published = await (isVersion ? pullPublished : readPublished)(to.client, target.repository, result.digest);
  console.log(`promoted ${result.digest}: ${result.manifests} manifests, ${formatBytes(result.sent)} sent`);
  console.log(`\n${summary(to, target, published, isVersion ? "pulled and hashed" : "read back")}`);
}

/** Whether its tag is a version that the stack's config has digits of the content's hash behind. */
function isRelease({ tags, contentHash }: PlannedImage): boolean {
  return tags.some((tag) => /^\d/.test(tag) && namesContent(tag, contentHash));
}

/** What becomes of a release's short versions and `latest`; the repository is asked for its tags only where there are some. */
async function floatingOf({ client }: Stack, { repository, tags }: PlannedImage): Promise<FloatingTag[]> {
  return tags.some((tag) => floatingTags(tag).length > 0) ? promotedTags(tags, await client.listTags(repository)) : [];
}

/** What a release tells of itself: where it is, for which platforms, and how much each weighs. */
function summary(
  { client }: Stack,
  target: PlannedImage,
  published: readonly PublishedPlatform[],
  how: string,
): string {
  const where = `${client.host}/${target.repository}:${target.tags[0] ?? "(no tag)"}`;
  const rows = published.map(({ platform, digest, compressed }) => [
    platform,
    `${digest.slice(0, "sha256:".length + 12)}…`,
    formatBytes(compressed),
    target.budget.compressed ?? "-",
  ]);
  return `${where}, ${how}:\n${formatTable(["platform", "digest", "compressed", "at most"], rows)}`;
}

/** @throws UserError where a tag that never moves stands elsewhere, or a floating one would go to a lower version. */
async function refuseMoves(
  { client }: Stack,
  { repository, tags }: PlannedImage,
  moving: readonly { tag: string; before: string | undefined }[],
): Promise<void> {
  const taken = moving.find(({ tag, before }) => before !== undefined && tags.includes(tag));
  if (taken !== undefined)
    throw new UserError(
      `${client.host}/${repository}:${taken.tag} stands on ${taken.before} already, and never moves`,
      "release what changed as a new version, or commit it; or name another tag with --tag",
    );
  const standing = moving.filter(({ before }) => before !== undefined);
  if (standing.length === 0) return;
  const there = await client.listTags(repository);
  for (const { tag } of standing)
    for (const release of tags) {
      const higher = floatingTags(release).includes(tag) ? higherRelease(release, tag, there) : undefined;
      if (higher !== undefined)
        throw new UserError(
          `${tag} would go back from ${higher} to ${release}`,
          `name the tags that shall move, such as \`--tag ${release}\``,
        );
    }
}

function show(
  { client }: Stack,
  { repository }: PlannedImage,
  moves: readonly { tag: string; before: string | undefined }[],
  digest: string,
): void {
  const short = (text: string | undefined) => (text === undefined ? "(none)" : `${text.slice(0, 19)}…`);
  const rows = moves.map(({ tag, before }) => [
    tag.length > 40 ? `${tag.slice(0, 14)}…` : tag,
    short(before),
    before === digest ? "as it is" : short(digest),
  ]);
  console.log(`${client.host}/${repository}:\n${formatTable(["tag", "now", "then"], rows)}\n`);
}
