import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { upstreamReference } from "../../../core/docker-alone.ts";
import { UserError } from "../../../core/error.ts";
import { type Finding, formatFinding } from "../../../core/finding.ts";
import { type GateSettings, withAllowances } from "../../../core/gate-settings.ts";
import type { Plan, PlannedImage } from "../../../core/plan.ts";
import type { Platform } from "../../../core/platform.ts";
import { readLayout } from "../../../oci/analyze.ts";
import type { ScanCache } from "../../../oci/cache.ts";
import { imageInLayout, type LayoutImage } from "../../../oci/image-source.ts";
import type { Progress } from "../../../toolchain/progress.ts";
import type { Buildx } from "../buildx.ts";
import { BuildFailure, describeFailure } from "../failure.ts";
import type { Toolbox } from "../toolbox.ts";
import { buildLayout, type Place } from "./build.ts";
import { checkImage, formatFindings, type Sizes, sizesOf } from "./check.ts";
import { healthTest } from "./health.ts";
import type { ImageInputs } from "./inputs.ts";
import { smokeTest, stageSmoke } from "./smoke.ts";
import { type StagedImage, stageImage } from "./staging.ts";

/** Builds of a plan for one platform that no registry takes part in: images are folders, and what is made FROM one reads its folder. */
export interface AloneBuild {
  /** The project's directory. */
  readonly root: string;
  readonly plan: Plan;
  readonly gates: GateSettings;
  readonly platform: Platform;
  readonly buildx: Omit<Buildx, "cwd">;
  /** Name of the buildx builder. */
  readonly builder: string;
  /** A folder that is made, and empty. */
  readonly work: string;
  readonly toolbox: Pick<Toolbox, "stageLock" | "stageWheels" | "busybox">;
  readonly scans: ScanCache;
  readonly signal: AbortSignal;
}

/** An image that was built and has passed its tests. */
export interface AloneImage {
  readonly layout: LayoutImage;
  readonly sizes: Sizes;
  readonly warnings: readonly Finding[];
}

/** Names of build contexts: of an image's base, and nowhere else. */
const BASE = "keelson-base";

/**
 * Builds an image of a plan into a folder, runs its smoke test and its health, and holds it against its gates.
 * @param parents what it may be made from, by name; as this gave them
 * @throws UserError that says which of these failed, and why.
 */
export async function buildAlone(
  build: AloneBuild,
  image: PlannedImage,
  parents: ReadonlyMap<string, AloneImage>,
  progress: Progress,
): Promise<AloneImage> {
  const { root, platform, builder, toolbox, signal, scans } = build;
  const inputs = inputsOf(build, image);
  const own = join(build.work, image.name);
  const work = join(own, "work");
  await mkdir(work, { recursive: true });
  const place: Place = {
    ...{ inputs, platform, builder, work, signal },
    buildx: { ...build.buildx, cwd: build.work },
    host: "", // no registry
    onStatus: (status) => progress.status(status),
    ping: async () => undefined,
  };
  try {
    const staged = withParents(await stageImage(root, inputs, work, toolbox, signal), image, parents);
    const base = image.base.kind === "image" ? BASE : upstreamReference(build.plan, image.base.name);
    const folder = join(own, "layout");
    await buildLayout({ ...place, base, staged }, folder);
    const layout = await imageInLayout(image.name, folder);
    const tested: Place = { ...place, layout: addressOf(layout) };
    const script = await stageSmoke(root, inputs, work);
    const read = await readLayout(layout, scans);
    const { errors, warnings } = checkImage(inputs, read);
    if (errors.length > 0) throw new UserError(formatFindings(errors), "mend these, or allow them in keelson:gates");
    await smokeTest(tested, script, layout.digest);
    await healthTest({
      place: tested,
      build: { platform, node: "local", mode: "native" },
      digest: layout.digest,
      config: async () => read.source.config,
      busybox: () => toolbox.busybox(platform, signal),
    });
    return { layout, sizes: sizesOf(read.image), warnings };
  } catch (error) {
    signal.throwIfAborted();
    throw told(image.name, platform, error);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function told(name: string, platform: Platform, error: unknown): unknown {
  if (error instanceof UserError)
    return new UserError(`${name} (${platform}): ${error.message}`, error.fix, { cause: error });
  if (!(error instanceof BuildFailure)) return error;
  const { message, fix } = describeFailure(error);
  return new UserError(`${name} (${platform}) can't be built: ${message}`, fix, { cause: error });
}

/** Images as build contexts: relative to the work folder, since buildx takes a drive's colon for a tag's. */
function addressOf({ label, digest }: LayoutImage): string {
  return `oci-layout://${label}/layout@${digest}`;
}

/** What is staged, with folders in place of images. */
function withParents(staged: StagedImage, image: PlannedImage, parents: ReadonlyMap<string, AloneImage>): StagedImage {
  const address = (name: string) => {
    const parent = parents.get(name);
    if (parent === undefined) throw new Error(`${image.name} is made from ${name}, which stands later in the plan`);
    return addressOf(parent.layout);
  };
  const images = Object.entries(image.contexts).flatMap(([name, context]) =>
    context.kind === "image" ? [[name, address(context.image)]] : [],
  );
  if (image.base.kind === "image") images.push([BASE, address(image.base.name)]);
  return {
    ...staged,
    namedContexts: async (platform) => ({ ...(await staged.namedContexts(platform)), ...Object.fromEntries(images) }),
  };
}

/** What the program gives its resource, but for where images lie. */
function inputsOf({ plan, gates, platform }: AloneBuild, image: PlannedImage): ImageInputs {
  const { name, folder, repository, contentHash, args, user, target, budget, smoke, health, annotations, cuda } = image;
  const hashOf = (wanted: string) => [...plan.images, ...plan.bases].find((one) => one.name === wanted)?.contentHash;
  const origin = plan.bases.find((base) => base.name === image.base.name)?.origin ?? "upstream";
  const contexts = Object.entries(image.contexts).map(([key, context]) => {
    if (context.kind === "base") return [key, { ...context, kind: "image" }];
    return context.kind === "image" ? [key, { kind: "image", ref: context.image, hash: context.hash }] : [key, context];
  });
  const hash = hashOf(image.base.name);
  return {
    ...{ imageName: name, repository, registry: { host: "embedded" }, contentHash, folder, user, args: { ...args } },
    ...(target === undefined ? {} : { target }),
    base:
      image.base.kind === "image"
        ? { kind: "image", ref: image.base.name, hash }
        : { kind: "external", name: image.base.name, origin, hash },
    contexts: Object.fromEntries(contexts),
    builds: [{ platform, node: "local", mode: "native" }],
    ...{
      builder: "docker",
      cache: "none",
      tags: [],
      annotations: { ...annotations },
      provenance: provenance(plan),
      budget,
    },
    ...(smoke === undefined ? {} : { smoke }),
    ...(health === undefined ? {} : { health }),
    gates: withAllowances(gates, image) as ImageInputs["gates"],
    ...(cuda === undefined ? {} : { cuda: cuda as ImageInputs["cuda"] }),
  };
}

/** As components/image/image.ts has it. */
function provenance({ commit }: Plan): Record<string, string> {
  if (commit === undefined) return {};
  return {
    "org.opencontainers.image.revision": commit.id,
    "org.opencontainers.image.created": `${commit.date}T00:00:00Z`,
  };
}

/** Warnings as lines. */
export function formatWarnings(warnings: readonly Finding[]): string {
  return warnings.map(formatFinding).join("\n");
}
