import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { loadPlan, surroundings } from "../config/load.ts";
import { readStack } from "../config/read-stack.ts";
import type { StackConfig } from "../config/schema.ts";
import { UserError } from "../core/error.ts";
import { formatFinding } from "../core/finding.ts";
import { hint } from "../core/lineage.ts";
import type { PlannedImage } from "../core/plan.ts";
import type { Platform } from "../core/platform.ts";
import { toMarkdown, toText } from "../core/report/document.ts";
import { reproductionDocument } from "../core/report/reproduction-document.ts";
import {
  type ImageDifference,
  isReproducible,
  type PlatformReproduction,
  type Reproduction,
} from "../core/reproduction.ts";
import { hashTag } from "../core/tags.ts";
import { compareImages } from "../oci/compare.ts";
import { imageInLayout, imageInRegistry } from "../oci/image-source.ts";
import { imageEntries, platformName } from "../oci/platforms.ts";
import type { RegistryInputs } from "../plugins/keelson/image/inputs.ts";
import { plannedInputs } from "../plugins/keelson/image/planned.ts";
import { copySources, rebuild } from "../plugins/keelson/image/reproduce.ts";
import { machine } from "../plugins/keelson/machine.ts";
import type { OpenRegistry } from "../plugins/keelson/toolbox.ts";
import { withEmptyBuilder } from "../toolchain/empty-builder.ts";
import { prepareHome, projectRoot } from "../toolchain/home.ts";
import { scratch } from "../toolchain/leftovers.ts";
import { type Progress, plainProgress } from "../toolchain/progress.ts";
import { answerSignals } from "./signals.ts";
import { stackLogin } from "./stack-login.ts";
import { stackWheelhouse, wheelhouseKeys } from "./stack-wheelhouse.ts";
import { runSteps, type Step } from "./steps.ts";

interface Options {
  readonly stack: string;
  readonly platform: readonly string[];
  readonly once?: boolean;
  readonly json?: boolean;
  readonly markdown?: boolean;
}

/** `keelson reproduce IMAGE`: does the same source give the same image, anywhere and from nothing? */
export function reproduceCommand(): Command {
  return new Command("reproduce")
    .description(
      "build an image twice from nothing, at two paths, and compare the digests with each other and with the registry's",
    )
    .argument("<image>", "name in the catalogue; the images that it is made from are taken from the registry")
    .option(
      "--platform <platform>",
      "only this one, such as linux/amd64; may be repeated; default: all that the plan builds",
      (platform: string, all: string[]) => [...all, platform],
      [],
    )
    .option("--once", "build once, and compare with what the registry holds, which was built before")
    .option("-s, --stack <name>", "stack whose builder and registry are used", "dev")
    .option("--json", "as JSON")
    .option("--markdown", "as Markdown")
    .action(async (name: string, options: Options) => {
      const found = await reproduce(name, options);
      const document = reproductionDocument(found);
      if (options.json) console.log(JSON.stringify(found, null, 2));
      else process.stdout.write(options.markdown ? toMarkdown(document) : toText(document));
      if (!isReproducible(found)) process.exitCode = 1;
    });
}

/** The two builds: at paths of other depth, from files of other modes and times. Labels are what reports say. */
const BUILDS = [
  { label: "first build", path: "a/checkout", disguise: { mode: 0o600, mtime: 1_000_000_000 } },
  { label: "second build", path: "b/some where/else/checkout", disguise: { mode: 0o664, mtime: 1_700_000_000 } },
] as const;

interface Run {
  readonly layouts: ReadonlyMap<Platform, string>[];
  found: PlatformReproduction[];
}

async function reproduce(name: string, { stack, platform: platforms, once }: Options): Promise<Reproduction> {
  const root = projectRoot();
  // Of a stack's config what builds counts here: what it runs is not in this plan.
  const { gateway, ...rest } = await readStack(root, stack);
  const config = { ...rest, images: [name], ...(gateway && { gateway: { ...gateway, run: undefined } }) };
  const { plan, findings } = await loadPlan(root, stack, config, surroundings(root));
  const errors = findings.filter((f) => f.severity === "error");
  if (errors.length > 0)
    throw new UserError(`${name} can't be built:\n${errors.map(formatFinding).join("\n")}`, "nothing was started");
  const image = plan.images.find((i) => i.name === name) as PlannedImage;
  const builds = wantedBuilds(image, platforms);

  const toolbox = machine(root);
  const registry = await registryInputs(stack, config.registry);
  const open = await toolbox.useRegistry(registry, plainProgress());
  if (once) await mustBePushed(image, builds, open);
  const wheelhouse = await stackWheelhouse(
    config.wheelhouse,
    plan.volumes ?? [],
    wheelhouseKeys(stack, plainProgress()),
  );
  const inputs = { ...(await plannedInputs(plan, image, registry, open)), ...(wheelhouse && { wheelhouse }) };
  const folder = await scratch(prepareHome().tmp, "reproduce");
  const cancel = new AbortController();
  const restore = answerSignals((signal) => cancel.abort(new UserError(`stopped by ${signal}`, "run it again")));
  const run: Run = { layouts: [], found: [] };
  const build = ({ label, path, disguise }: (typeof BUILDS)[number]): Step<Run> => ({
    title: label,
    run: async (_, progress) => {
      const checkout = join(folder, path);
      const copied = await copySources(root, inputs, checkout, disguise);
      const layouts = await withEmptyBuilder(config.builder, progress, (builder) => {
        const order = { inputs: copied, registry: open, toolbox, builder, progress, signal: cancel.signal };
        return rebuild(checkout, { ...order, work: join(folder, `${path} work`) }, builds);
      });
      run.layouts.push(layouts);
      return undefined;
    },
  });
  const compare: Step<Run> = {
    title: "comparison",
    run: async (_, progress) => {
      for (const { platform } of builds) run.found.push(await comparePlatform(platform, run, image, open, progress));
      return undefined;
    },
  };
  try {
    await runSteps(run, [...BUILDS.slice(0, once ? 1 : 2).map(build), compare]);
    return { image: name, contentHash: image.contentHash, platforms: run.found };
  } catch (error) {
    throw cancel.signal.aborted ? cancel.signal.reason : error; // what a stopped step says is its own end alone
  } finally {
    restore();
    await rm(folder, { recursive: true, force: true });
  }
}

function wantedBuilds(image: PlannedImage, platforms: readonly string[]): PlannedImage["builds"] {
  const known = image.builds.map((b) => b.platform as string);
  const unknown = platforms.find((p) => !known.includes(p));
  if (unknown !== undefined)
    throw new UserError(
      `${image.name} is not built for ${JSON.stringify(unknown)}`,
      `name one of: ${known.join(", ")}${hint(unknown, known)}`,
    );
  return platforms.length === 0 ? image.builds : image.builds.filter((b) => platforms.includes(b.platform));
}

async function comparePlatform(
  platform: Platform,
  { layouts }: Run,
  image: PlannedImage,
  registry: OpenRegistry,
  progress: Progress,
): Promise<PlatformReproduction> {
  progress.status(`comparing ${platform}`);
  const [first, ...others] = await Promise.all(
    layouts.map((layout, i) => imageInLayout(BUILDS[i]?.label ?? "", layout.get(platform) ?? "")),
  );
  if (first === undefined) throw new Error("nothing was built");
  const pushed = await pushedImage(platform, image, registry);
  const differences: (ImageDifference | undefined)[] = [];
  for (const other of pushed === undefined ? others : [...others, pushed])
    differences.push(await compareImages(first, other));
  return {
    platform,
    builds: [first, ...others].map(({ digest }) => digest),
    ...(pushed === undefined ? {} : { registry: pushed.digest }),
    differences: differences.filter((d) => d !== undefined),
  };
}

async function mustBePushed(image: PlannedImage, builds: PlannedImage["builds"], registry: OpenRegistry) {
  for (const { platform } of builds)
    if ((await pushedImage(platform, image, registry)) === undefined)
      throw new UserError(
        `the registry holds no ${image.name} of this checkout for ${platform}, with which one build could be compared`,
        "build it with `npm run up` first, or leave out --once: two builds are compared then",
      );
}

/** With the stack's own login where its config has one, as its `up` has it. */
async function registryInputs(stack: string, registry: StackConfig["registry"]): Promise<RegistryInputs> {
  if (registry === "embedded") return { host: registry };
  const login = stackLogin(stack, registry);
  return {
    host: registry.host,
    ...(login === undefined ? {} : { username: login.username, password: await login.password() }),
  };
}

/** What the registry holds of a platform under the image's content hash. */
async function pushedImage(platform: Platform, image: PlannedImage, { client }: OpenRegistry) {
  const found = await client.findManifest(image.repository, hashTag(image.contentHash));
  if (found?.document.kind !== "index") return undefined;
  const entry = imageEntries(found.document.index).find((e) => platformName(e.platform) === platform);
  return entry && imageInRegistry("registry", client, image.repository, entry.digest);
}
