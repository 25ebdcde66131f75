import { writeFile } from "node:fs/promises";
import { Command, Option } from "commander";
import { analyzeImage } from "../core/analysis.ts";
import { UserError } from "../core/error.ts";
import type { PlannedImage } from "../core/plan.ts";
import { type CudaImageReport, cudaDocument, makeCudaReport } from "../core/report/cuda.ts";
import { type Block, toMarkdown, toText } from "../core/report/document.ts";
import { familiesDocument } from "../core/report/families.ts";
import { imagesHtml } from "../core/report/html.ts";
import { type ImageInput, makeImagesReport, type SizePoint } from "../core/report/images.ts";
import { imagesDocument } from "../core/report/images-document.ts";
import { makeWorkerReport, type WorkerImage } from "../core/report/worker.ts";
import { workerDocument } from "../core/report/worker-document.ts";
import { measureWorker } from "../core/report/worker-facts.ts";
import { parseSize, type Size } from "../core/size.ts";
import { projectRoot } from "../toolchain/home.ts";
import { readTarget } from "./read-target.ts";
import { findTargets, openStack, type Target } from "./targets.ts";

interface Options {
  readonly stack: string;
  readonly platform?: string;
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly html?: string;
}

/** `keelson report`: where the bytes of pushed images are. */
export function reportCommand(): Command {
  const report = common(new Command("report"))
    .description("sizes of pushed images by layer, directory and package; what is shared and what is wasted")
    .argument(
      "[image...]",
      "names of the catalogue, or whole references such as ghcr.io/acme/app:1; default: all of the stack",
    )
    .option("--platform <platform>", "only this one, such as linux/arm64")
    .option("--html <file>", "write a page with pictures")
    .action(imagesReport);
  report.addCommand(
    withoutPage(new Command("worker"))
      .description("the worker images against the size spike's tables, targets and options, with a verdict")
      .action(workerReport),
  );
  report.addCommand(
    withoutPage(new Command("families"))
      .description("the families of a stack's services against seed 004's goals, and against images of one stage")
      .action(familiesReport),
  );
  report.addCommand(
    withoutPage(new Command("cuda"))
      .description("CUDA code of GPU images: bytes for each architecture, and the architectures of each file")
      .argument("[image...]", "default: all of the stack's machine that are of a CUDA track")
      .action(cudaReport),
  );
  return report;
}

function common(command: Command): Command {
  return command
    .option("-s, --stack <name>", "stack", "dev")
    .option("--json", "as JSON")
    .option("--markdown", "as Markdown, for a pull request");
}

/** What has no page says so, and which report has one. */
function withoutPage(command: Command): Command {
  return common(command)
    .addOption(new Option("--html <file>").hideHelp())
    .hook("preAction", (_, action) => {
      const { html } = action.opts<Options>();
      if (html !== undefined)
        throw new UserError(
          `keelson report ${action.name()} has no page`,
          `the report of images has one: keelson report IMAGE … --html ${html}`,
        );
    });
}

/** A report's own options before those of `keelson report`: commander has a default of the latter win over what was said to the former. */
function optionsOf(command: Command): Options {
  const said = Object.entries(command.opts()).filter(([name]) => command.getOptionValueSource(name) !== "default");
  return { ...command.optsWithGlobals<Options>(), ...Object.fromEntries(said) };
}

async function imagesReport(names: string[], options: Options): Promise<void> {
  const stack = openStack(options.stack);
  const targets = await findTargets(() => stack, names);
  const images: ImageInput[] = [];
  for (const target of targets) {
    const platforms = await readTarget(target, options.platform);
    const named = target.planned?.budget.rest?.without ?? [];
    images.push({
      name: target.name,
      platforms: platforms.map(({ image }) => analyzeImage(image, named)),
      history: await historyOf(target),
    });
  }
  const report = makeImagesReport(images);
  if (options.html !== undefined) {
    await writeFile(options.html, imagesHtml(report));
    console.error(`wrote ${options.html}`);
  }
  if (options.html === undefined || options.json || options.markdown) print(report, imagesDocument(report), options);
}

async function familiesReport(_: unknown, command: Command): Promise<void> {
  const options = optionsOf(command);
  const { familiesOf } = await import("./report-families.ts");
  const report = await familiesOf(await openStack(options.stack), projectRoot());
  print(report, familiesDocument(report), options);
}

async function cudaReport(names: string[], _: unknown, command: Command): Promise<void> {
  const options = optionsOf(command);
  const stack = openStack(options.stack);
  const { plan } = await stack;
  const { machine, profile } = { machine: plan.stack, profile: plan.machine?.profile };
  const targets = profile?.gpu === undefined ? [] : [{ machine, capability: profile.gpu.capability }];
  const all = plan.images.filter((i) => i.cuda !== undefined).map((i) => i.name);
  if (names.length === 0 && all.length === 0)
    throw new UserError(`stack ${plan.stack} has no image of a CUDA track`, "name a stack with a GPU, or images");
  const reports: CudaImageReport[] = [];
  for (const target of await findTargets(() => stack, names.length === 0 ? all : names)) {
    const { name, planned } = target;
    const known = planned && { contentHash: planned.contentHash, locks: locksOf(planned) };
    for (const { image, source } of await readTarget(target)) {
      const origin = source.config.config?.Labels?.[CUDA_ORIGIN];
      reports.push(makeCudaReport({ name, ...known, targets, ...(origin === undefined ? {} : { origin }), image }));
    }
  }
  print(reports, cudaDocument(reports), options);
}

/** The label of images/base-gpu, which all images on it have. */
const CUDA_ORIGIN = "io.keelson.cuda.origin";

/** The locks that a planned image is built from, by context. */
function locksOf({ contexts }: PlannedImage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(contexts).flatMap(([name, c]) => (c.kind === "lock" ? [[name, c.hash]] : [])),
  );
}

/** The images of the spike, by what they are now. */
const WORKERS = { noGit: "worker-ultramin", git: "worker-minimal" };

async function workerReport(_: unknown, command: Command): Promise<void> {
  const options = optionsOf(command);
  const stack = openStack(options.stack);
  const [noGit, git] = await findTargets(() => stack, [WORKERS.noGit, WORKERS.git]);
  if (!noGit || !git)
    throw new UserError("the stack has no worker images", `add ${WORKERS.noGit} and ${WORKERS.git} to keelson:images`);
  const report = makeWorkerReport(await measure(noGit), await measure(git));
  print(report, workerDocument(report), options);
}

async function measure(target: Target): Promise<WorkerImage> {
  const rest = target.planned?.budget.rest;
  const platforms = (await readTarget(target)).map(({ image }) => {
    const own: Readonly<Record<string, Size>> = rest?.on ?? {};
    const bound = own[image.platform] ?? rest?.unpacked;
    return measureWorker(image, rest?.without ?? [], bound === undefined ? undefined : parseSize(bound));
  });
  return { name: target.name, platforms };
}

/** Earlier builds of this checkout; none where there is no history. */
async function historyOf({ planned }: Target): Promise<SizePoint[]> {
  if (!planned) return [];
  const { openHistory } = await import("../toolchain/history.ts");
  using history = openHistory(projectRoot());
  const records = planned.builds.flatMap(({ platform }) => history.builds(planned.name, platform, 20).toReversed());
  return records.flatMap(({ contentHash, platform, compressed, unpacked }) =>
    // What the report itself shows is no earlier build.
    compressed === undefined || unpacked === undefined || contentHash === planned.contentHash
      ? []
      : [{ label: contentHash.slice(0, 12), platform, compressed, unpacked }],
  );
}

function print(report: object, document: readonly Block[], { json, markdown }: Options): void {
  if (json) console.log(JSON.stringify(report, null, 2));
  else process.stdout.write(markdown ? toMarkdown(document) : toText(document));
}
