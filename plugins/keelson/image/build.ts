import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheOptions, PUSHED_AS, WRITTEN_AS } from "../../../core/build-options.ts";
import { SOURCE_DATE_EPOCH } from "../../../core/epoch.ts";
import { type Platform, platformSlug } from "../../../core/platform.ts";
import { indexAddress, isVolume, WHEELHOUSE_SECRET } from "../../../core/wheelhouse.ts";
import { noteTiming, timed } from "../../../toolchain/timings.ts";
import { type Buildx, runBuildx } from "../buildx.ts";
import { BuildFailure } from "../failure.ts";
import type { StepCounts } from "../progress.ts";
import type { ImageInputs } from "./inputs.ts";
import type { StagedImage } from "./staging.ts";

/** Milliseconds before a build is tried again whose push was refused in passing; its layers are kept by the builder. */
const BACKOFF = [2000, 8000];
/** How often a step is tried again that the network failed: its program has tried for minutes by itself. */
const STEP_RETRIES = 1;

/** Where and for whom one platform is built or tested. */
export interface Place {
  readonly inputs: ImageInputs;
  readonly platform: Platform;
  readonly buildx: Buildx;
  readonly builder: string;
  /** The registry's name in references. */
  readonly host: string;
  /** A folder for what this needs on the way. */
  readonly work: string;
  readonly signal: AbortSignal;
  readonly onStatus: (status: string) => void;
  /** Throws where the registry gives no sign of life. */
  readonly ping: () => Promise<unknown>;
  /** Where an image lies that is in no registry, as a build context names it. @example "oci-layout://web@sha256:…" */
  readonly layout?: string;
}

/** Everything that one platform's build takes. */
export interface BuildOrder extends Place {
  /** What the Dockerfile gets as BASE_IMAGE. */
  readonly base: string;
  readonly staged: StagedImage;
}

/** A platform's manifest as the builder pushed it, by digest alone. */
export interface Pushed {
  readonly digest: string;
  readonly counts: StepCounts;
}

/** Builds one platform and pushes it by digest: no tag stands on it yet. @throws BuildFailure */
export async function buildPlatform(order: BuildOrder): Promise<Pushed> {
  const metadata = join(order.work, `metadata-${platformSlug(order.platform)}.json`);
  const args = await buildArguments(order, metadata);
  const run = { args, signal: order.signal, onStatus: order.onStatus, ping: order.ping };
  const subject = `${order.inputs.imageName} ${order.platform}`;
  const progress = await timed(`build ${subject}`, () => retryPassing(order, () => runBuildx(order.buildx, run)));
  noteTiming(`push ${subject}`, progress.pushSeconds());
  const written: unknown = JSON.parse(await readFile(metadata, "utf8"));
  const digest = (written as Record<string, unknown>)["containerimage.digest"];
  if (typeof digest !== "string" || !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw new Error(`buildx named no digest in ${metadata}`);
  return { digest, counts: progress.counts() };
}

async function buildArguments(order: BuildOrder, metadata: string): Promise<string[]> {
  const name = `${order.host}/${order.inputs.repository}`;
  const output = `type=image,name=${name},push-by-digest=true,name-canonical=true,${PUSHED_AS}`;
  return ["--metadata-file", metadata, "--output", output, ...cacheArguments(order), ...(await sourceArguments(order))];
}

/**
 * Builds one platform into a folder, as an OCI image layout: the same manifest that {@link buildPlatform} pushes, pushed
 * nowhere and taken from no cache of the registry's.
 * @param more further arguments of `buildx build`
 * @throws BuildFailure
 */
export async function buildLayout(order: BuildOrder, folder: string, more: readonly string[] = []): Promise<void> {
  const output = `type=oci,${field("dest", folder)},tar=false,${WRITTEN_AS}`;
  const args = ["--output", output, ...more, ...(await sourceArguments(order))];
  await runBuildx(order.buildx, { args, signal: order.signal, onStatus: order.onStatus, ping: order.ping });
}

/** Commas part an option's fields: a path with one stands in quotes, as CSV has it. */
function field(name: string, path: string): string {
  return `"${name}=${path.replaceAll('"', '""')}"`;
}

/** What a build step may read and no image, cache key or argument holds: a wheelhouse's address, for steps that ask for it. */
async function secretArguments({ inputs: { wheelhouse }, work }: BuildOrder): Promise<string[]> {
  if (wheelhouse === undefined || isVolume(wheelhouse)) return [];
  const file = join(work, WHEELHOUSE_SECRET);
  await writeFile(file, indexAddress(wheelhouse), { mode: 0o600 });
  return ["--secret", `id=${WHEELHOUSE_SECRET},${field("src", file)}`];
}

/** Where and what is built. */
async function sourceArguments(order: BuildOrder): Promise<string[]> {
  const { inputs, staged } = order;
  const values = { ...inputs.args, BASE_IMAGE: order.base, SOURCE_DATE_EPOCH: String(SOURCE_DATE_EPOCH) };
  const named = await staged.namedContexts(order.platform);
  return [
    ...placeArguments(order),
    ...(await secretArguments(order)),
    ...["--file", staged.dockerfile],
    ...(inputs.target === undefined ? [] : ["--target", inputs.target]),
    ...Object.entries(values).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
    ...Object.entries(named).flatMap(([context, place]) => ["--build-context", `${context}=${place}`]),
    staged.context,
  ];
}

/** Arguments of every build at a place. Attestations would be an index around each platform; they come as referrers. */
export function placeArguments({ builder, platform }: Place): string[] {
  return ["--builder", builder, "--platform", platform, "--provenance=false", "--sbom=false"];
}

function cacheArguments({ inputs, host, platform }: BuildOrder): string[] {
  const { imageName: name, repository, cache } = inputs;
  const { from, to } = cacheOptions(cache, { name, repository, host }, platform);
  return [...from.flatMap((option) => ["--cache-from", option]), ...to.flatMap((option) => ["--cache-to", option])];
}

/** Tries again what failed in passing. @param pause for milliseconds */
export async function retryPassing<T>(
  order: Pick<BuildOrder, "onStatus" | "signal">,
  attempt: () => Promise<T>,
  pause = (delay: number): Promise<unknown> => sleep(delay, undefined, { signal: order.signal }),
): Promise<T> {
  for (const [tries, delay] of BACKOFF.entries()) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof BuildFailure) || !error.passing) throw error;
      const isStep = error.kind === "step";
      if (isStep && tries >= STEP_RETRIES) throw error;
      const what = isStep ? `the network failed ${error.step?.name ?? "a step"}` : "the registry refused";
      order.onStatus(`${what} in passing, again in ${delay / 1000}s: ${error.reason}`);
      await pause(delay);
    }
  }
  return attempt();
}
