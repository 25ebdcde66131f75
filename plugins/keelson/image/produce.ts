import { rm } from "node:fs/promises";
import { UserError } from "../../../core/error.ts";
import type { Platform } from "../../../core/platform.ts";
import { readPlatforms } from "../../../oci/platforms.ts";
import { timed } from "../../../toolchain/timings.ts";
import { Limiter } from "../limiter.ts";
import type { StepCounts } from "../progress.ts";
import { type Call, progressOf } from "../resource.ts";
import type { OpenRegistry, Toolbox } from "../toolbox.ts";
import { buildPlatform, type Place } from "./build.ts";
import { checkImage, describeWarnings, formatFindings, type Sizes, sizesOf } from "./check.ts";
import { type PlatformManifest, platformTag } from "./document.ts";

import { hasHealth, healthTest } from "./health.ts";
import { basePrefix, type ImageInputs, type PlatformBuild, type SourceInputs } from "./inputs.ts";
import { describeError, type Failed, foundError, imageError, type Produced } from "./outcome.ts";

import { smokeTest, stageSmoke } from "./smoke.ts";
import { stageImage } from "./staging.ts";

/** Builds at a time over all images of a run: each has steps of its own that the builder runs in parallel. */
const lanes = new Limiter(4);

/** What making an image takes. */
export interface Production {
  readonly inputs: ImageInputs;
  readonly registry: OpenRegistry;
  readonly toolbox: Toolbox;
  readonly call: Call;
  /** Sizes by platform, as the last run left them. */
  readonly previous: Readonly<Record<string, Sizes>>;
}

/** A platform that passed. */
type Checked = Pick<Produced, "manifest" | "findings">;

/**
 * Builds platforms, each as a build of its own on its own node, smoke-tests and checks them. Where one fails, the others
 * go on; those that came through get a tag of their own, so that the next run finds them.
 * @throws UserError that says which failed, why, and which were built.
 */
export async function produce(production: Production, wanted: readonly PlatformBuild[]): Promise<Produced[]> {
  const { inputs, call } = production;
  return inWorkFolder(production, async (work, placeOf) => {
    const push = inputs.built === undefined ? await builds(production, work) : takes(inputs.built);
    const script = await stageSmoke(call.root, inputs, work);

    const make = async (build: PlatformBuild): Promise<Produced> => {
      const clock = new Clock();
      let counts: StepCounts | undefined;
      let checked: Checked | undefined;
      try {
        const place = await placeOf(build);
        const pushed = await push(place);
        counts = pushed.counts;
        checked = await examine(production, build, place, script, pushed.digest);
        if (counts !== undefined) await record(production, build, "built", clock, checked.manifest, counts);
        return { ...checked, build, seconds: clock.seconds() };
      } catch (error) {
        if (!call.signal.aborted) await record(production, build, "failed", clock, checked?.manifest, counts);
        throw error;
      }
    };
    const { done, failed } = await settle(production, wanted, make);
    if (failed.length === 0) return done;
    await keep(production, done);
    throw imageError(inputs, failed, done);
  });
}

type Push = (place: Place) => Promise<{ readonly digest: string; readonly counts?: StepCounts }>;

/** Builds and pushes: base and files are made ready once for all platforms. */
async function builds({ inputs, registry, toolbox, call }: Production, work: string): Promise<Push> {
  const base = await resolveBase(inputs, registry, toolbox, call);
  call.status("reading the build context");
  const staged = await timed(`stage ${inputs.imageName}`, () =>
    stageImage(call.root, inputs, work, toolbox, call.signal),
  );
  return (place) => buildPlatform({ ...place, base, staged });
}

/** Takes what another resource has built and pushed. */
function takes(built: Readonly<Partial<Record<Platform, string>>>): Push {
  return async ({ inputs, platform }) => {
    const digest = built[platform];
    if (digest !== undefined) return { digest };
    throw new UserError(`${inputs.imageName} got no digest for ${platform}`, "give `built` one for each platform");
  };
}

/** What the Dockerfile gets as BASE_IMAGE. */
export async function resolveBase(
  inputs: SourceInputs,
  registry: OpenRegistry,
  toolbox: Pick<Toolbox, "resolveBase">,
  call: Call,
): Promise<string> {
  const { base } = inputs;
  if (base.kind === "image") return base.ref;
  return toolbox.resolveBase(base, registry, basePrefix(inputs), call.signal, progressOf(call));
}

/**
 * Runs the checks and the smoke test on platforms that are in the registry already. The checks come first: they only
 * read what anybody may have pushed, the smoke test runs it.
 * @returns how many findings each has that are no errors, by digest.
 * @throws UserError
 */
export async function judgeFound(
  production: Production,
  found: readonly PlatformManifest[],
): Promise<ReadonlyMap<string, number>> {
  const { inputs, registry, call } = production;
  return inWorkFolder(production, async (work, placeOf) => {
    const script = await stageSmoke(call.root, inputs, work);
    const builds = inputs.builds.filter(({ platform }) => found.some((m) => m.platform === platform));
    const { done, failed } = await settle(production, builds, async (build) => {
      const { digest } = found.find((m) => m.platform === build.platform) as PlatformManifest;
      call.status(`${build.platform} was found, nobody tested it as asked: testing`);
      const { findings } = await inspect(production, build, digest);
      if (script !== undefined || hasHealth(inputs, build))
        await runTests(production, build, await placeOf(build), script, digest);
      return [digest, findings] as const;
    });
    if (failed.length === 0) return new Map(done);
    const digests = failed.map(({ build }) => found.find((m) => m.platform === build.platform)?.digest ?? "");
    throw foundError(inputs, registry.host, digests.join(", "), failed);
  });
}

/** Does the same for each platform, as many at a time as there are lanes, and goes on where one fails. */
async function settle<T>(
  { call }: Production,
  wanted: readonly PlatformBuild[],
  work: (build: PlatformBuild) => Promise<T>,
): Promise<{ readonly done: T[]; readonly failed: Failed[] }> {
  const outcomes = await Promise.allSettled(
    wanted.map((build) =>
      lanes.run(async () => {
        call.signal.throwIfAborted();
        return work(build);
      }),
    ),
  );
  call.signal.throwIfAborted();
  const done: T[] = [];
  const failed: Failed[] = [];
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status === "fulfilled") done.push(outcome.value);
    else failed.push(describeError(wanted[i] as PlatformBuild, outcome.reason));
  }
  return { done, failed };
}

type PlaceOf = (build: PlatformBuild) => Promise<Place>;

/** A folder for one image's work, gone when the work ends; and the places where its platforms are built. */
async function inWorkFolder<T>(
  { inputs, registry, toolbox, call }: Production,
  work: (folder: string, placeOf: PlaceOf) => Promise<T>,
): Promise<T> {
  const folder = await toolbox.makeWorkFolder();
  try {
    // One for all platforms, opened by the first that needs it: checks of sizes need none.
    let builder: ReturnType<Toolbox["useBuilder"]> | undefined;
    const statuses = new Map<string, string>();
    return await work(folder, async (build) => {
      builder ??= toolbox.useBuilder(inputs, registry, folder, progressOf(call));
      const { buildx, builderOf } = await builder;
      return {
        inputs,
        platform: build.platform,
        buildx,
        builder: await builderOf(build.node, build.platform),
        host: registry.host,
        work: folder,
        ping: () => registry.client.ping(),
        signal: call.signal,
        onStatus: (status) => {
          statuses.set(build.platform, status);
          call.status([...statuses].map(([platform, s]) => `${platform} ${s}`).join(" | "));
        },
      };
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Smoke test and checks at once: the one waits for the builder, the other reads the registry. @throws what failed first */
async function examine(
  production: Production,
  build: PlatformBuild,
  place: Place,
  script: string | undefined,
  digest: string,
): Promise<Checked> {
  const subject = `${production.inputs.imageName} ${build.platform}`;
  const [smoke, inspection] = await Promise.allSettled([
    timed(`smoke ${subject}`, () => runTests(production, build, place, script, digest)),
    timed(`gates ${subject}`, () => inspect(production, build, digest)),
  ]);
  if (smoke.status === "rejected") throw smoke.reason;
  if (inspection.status === "rejected") throw inspection.reason;
  return inspection.value;
}

/** What runs the image: its smoke script, and its health, at once. @throws what failed first */
async function runTests(
  { inputs, registry, toolbox, call }: Production,
  build: PlatformBuild,
  place: Place,
  script: string | undefined,
  digest: string,
): Promise<void> {
  const busybox = () => toolbox.busybox(build.platform, call.signal);
  const config = async () => (await readPlatforms(registry.client, inputs.repository, digest))[0]?.config;
  const [health, smoke] = await Promise.allSettled([
    healthTest({ place, build, digest, config, busybox }),
    smokeTest(place, script, digest),
  ]);
  if (smoke.status === "rejected") throw smoke.reason;
  if (health.status === "rejected") throw health.reason;
}

/** Reads a platform's image from the registry and holds it against its checks. @throws UserError for errors */
async function inspect(production: Production, { platform }: PlatformBuild, digest: string): Promise<Checked> {
  const { inputs, registry, toolbox, call } = production;
  const [descriptor, read] = await Promise.all([
    registry.client.headManifest(inputs.repository, digest),
    toolbox.readImage(registry.client, inputs.repository, digest),
  ]);
  const { errors, warnings, count } = checkImage(inputs, read, production.previous);
  if (warnings.length > 0) call.log("warning", describeWarnings(warnings));
  if (errors.length > 0) throw new UserError(formatFindings(errors), "mend these, or allow them in keelson:gates");
  const manifest = { platform, digest, size: descriptor?.size ?? 0, ...sizesOf(read.image) };
  return { manifest, findings: count };
}

/** Puts a tag on each checked platform, so that the next run does not build it again. */
async function keep({ inputs, registry }: Production, produced: readonly Produced[]): Promise<void> {
  for (const { manifest } of produced) {
    const { bytes, descriptor } = await registry.client.getManifest(inputs.repository, manifest.digest);
    const tag = platformTag(inputs.contentHash, manifest.platform);
    await registry.client.putManifest(inputs.repository, tag, bytes, descriptor.mediaType);
  }
}

async function record(
  { inputs, toolbox }: Production,
  build: PlatformBuild,
  outcome: "built" | "failed",
  clock: Clock,
  manifest: PlatformManifest | undefined,
  counts: StepCounts | undefined,
): Promise<void> {
  const { platform, node, mode } = build;
  await toolbox.record({
    at: Date.now(),
    image: inputs.imageName,
    platform,
    contentHash: inputs.contentHash,
    node,
    mode,
    outcome,
    seconds: clock.seconds(),
    ...(manifest === undefined ? {} : { compressed: manifest.compressed, unpacked: manifest.unpacked }),
    ...counts,
  });
}

class Clock {
  private readonly start = performance.now();

  seconds(): number {
    return Math.round(performance.now() - this.start) / 1000;
  }
}
