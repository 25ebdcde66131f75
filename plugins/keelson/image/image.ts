import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson, sha256 } from "../../../core/hash.ts";
import type { PlatformResult } from "../../../core/summary.ts";
import { findFailures, readInputs } from "../../common/validate.ts";
import { UNKNOWN } from "../../common/wire.ts";
import {
  type Applied,
  type Call,
  type Change,
  type Checked,
  type Found,
  type Previous,
  progressOf,
  type ResourceType,
  type Values,
} from "../resource.ts";
import type { OpenRegistry, Toolbox } from "../toolbox.ts";
import { Ahead } from "./ahead.ts";
import type { Sizes } from "./check.ts";
import type { PlatformManifest } from "./document.ts";
import { type ImageInputs, imageInputs, type PlatformBuild } from "./inputs.ts";
import { type Existing, finalDigest, findExisting, type Judged, missingBuilds, unjudged } from "./lookup.ts";
import { type Produced, where } from "./outcome.ts";
import type { produce } from "./produce.ts";

/** What the resource says of itself, beside its inputs. */
export interface ImageState {
  /** `host/repository@sha256:…` */
  readonly ref: string;
  /** Of the index. */
  readonly digest: string;
  /** What it was made from: a run that passes over this resource gives the program this, and not the plan's. */
  readonly contentHash: string;
  readonly platforms: readonly (PlatformResult & { readonly node: string })[];
}

/** Inputs whose change calls for an update. Registry credentials, builder, nodes and caches decide nothing. */
const DECISIVE = [
  "contentHash",
  "repository",
  "tags",
  "annotations",
  "budget",
  "smokeHash",
  "user",
  "health",
  "gates",
  "cuda",
] as const;

/** Time that a look at the registry may take where its answer is a convenience, milliseconds. */
const GLANCE = 2000;

/** Most runs find nothing to do: what only a build needs is loaded when one comes. */
const produceLazily: typeof produce = async (...given) => (await import("./produce.ts")).produce(...given);

/** `keelson:index:Image`: an image in a registry, found by its content hash or built, checked and pushed. */
export class ImageType implements ResourceType {
  private readonly toolbox: Toolbox;
  private readonly produce: typeof produce;
  private readonly ahead: Ahead;

  /**
   * @param make builds the platforms that are missing
   * @param ahead what the registry was asked before the engine asks
   */
  constructor(toolbox: Toolbox, make = produceLazily, ahead = new Ahead()) {
    this.toolbox = toolbox;
    this.produce = make;
    this.ahead = ahead;
  }

  async check(values: Values, call: Call): Promise<Checked> {
    const failures = findFailures(imageInputs, values);
    if (failures.length > 0 || typeof values.smoke !== "string") return { failures };
    const file = `${String(values.folder)}/${values.smoke}`;
    try {
      return { failures, additions: { smokeHash: sha256(await readFile(join(call.root, file), "utf8")) } };
    } catch (error) {
      return { failures: [{ property: "smoke", reason: `${file} can't be read: ${(error as Error).message}` }] };
    }
  }

  async diff(previous: Previous, values: Values, call: Call): Promise<readonly Change[]> {
    const changes: Change[] = DECISIVE.filter((key) => differs(previous.inputs[key], values[key])).map((path) => ({
      path,
      of: "inputs",
    }));
    if (differs(platformsOf(previous.inputs), platformsOf(values))) changes.push({ path: "builds", of: "inputs" });
    if (hostOf(previous.inputs) !== hostOf(values)) changes.push({ path: "registry.host", of: "inputs" });
    return changes.length > 0 ? changes : this.drift(previous, values, call);
  }

  async preview(
    values: Values,
    previous: Previous | undefined,
    call: Call,
  ): Promise<Readonly<Record<string, unknown>>> {
    const inputs = readInputs(imageInputs, values);
    const unknown = { ref: UNKNOWN, digest: UNKNOWN, platforms: UNKNOWN, contentHash: inputs.contentHash };
    const existing = await this.lookForPreview(inputs, call);
    const missing = existing === undefined ? inputs.builds : missingBuilds(existing.found, inputs.builds);
    const open = existing === undefined ? [] : unjudged(inputs, existing.found.platforms, existing.judged);
    const digest = existing && finalDigest(existing.found, inputs);
    const moves = existing && (await this.movesOf(existing.client, inputs, digest, call));
    const planned = plan(inputs, missing, open, previous);
    call.status(moves === undefined ? planned : `${planned}; ${moves}`);
    if (existing === undefined || digest === undefined) return unknown;
    return { ...this.state(existing.host, inputs, digest, existing.found.platforms, []) };
  }

  async apply(values: Values, previous: Previous | undefined, call: Call): Promise<Applied> {
    const inputs = readInputs(imageInputs, values);
    const registry = await this.toolbox.useRegistry(inputs.registry, progressOf(call));
    const existing = await this.find(registry, inputs);
    if (missingBuilds(existing, inputs.builds).length === 0)
      return this.settle(inputs, previous, registry, existing, call);
    // Another run on this machine may be building the same: what it has built is found then, and not built again.
    return this.toolbox.oneAtATime(`${registry.host}/${inputs.repository}:${inputs.contentHash}`, call, async () =>
      this.settle(inputs, previous, registry, await this.find(registry, inputs), call),
    );
  }

  /** Builds what is missing, judges what nobody has, and writes index and tags. */
  private async settle(
    inputs: ImageInputs,
    previous: Previous | undefined,
    registry: OpenRegistry,
    existing: Existing,
    call: Call,
  ): Promise<Applied> {
    const production = { inputs, registry, toolbox: this.toolbox, call, previous: sizesByPlatform(previous) };
    const missing = missingBuilds(existing, inputs.builds);
    const judging = await import("./judge.ts");
    const standing = await judging.standingVerdict(registry, inputs, existing);
    const settled = existing.platforms.filter((p) => standing.has(p.digest));
    judging.judgeGrowth(production, settled);
    const found = await judging.judge(production, existing.platforms, standing);
    const produced = missing.length === 0 ? [] : await this.produce(production, missing);
    // A build takes minutes, in which another stack may have put platforms of its own under the same hash.
    const latest = produced.length === 0 ? existing : await this.find(registry, inputs);
    const platforms = mergePlatforms(
      produced.map((p) => p.manifest),
      latest.platforms,
      existing.platforms,
    );
    const built = new Map(produced.map((p) => [p.manifest.digest, p.findings]));
    const judged = await judging.judge(production, platforms, new Map([...found, ...built]));
    call.status("pushing the index");
    const { publish } = await import("./publish.ts");
    const index = await publish(registry, inputs, latest, platforms, call);
    const told = index.digest === existing.digest && unjudged(inputs, platforms, standing).length === 0;
    if (!told) await judging.keepVerdict(production, index, platforms, judged);
    const state = this.state(registry.host, inputs, index.digest, platforms, produced);
    return { id: inputs.repository, state: { ...state } };
  }

  async read(id: string, previous: Previous | undefined, call: Call): Promise<Found | undefined> {
    if (previous === undefined) return (await import("./import.ts")).importImage(id, this.toolbox, call);
    const inputs = readInputs(imageInputs, previous.inputs);
    const registry = await this.toolbox.useRegistry(inputs.registry, progressOf(call));
    const gone = await missingDigests(registry, inputs, previous.state);
    if (gone.length > 0) {
      call.log("warning", `${registry.host}/${inputs.repository} no longer has ${gone.join(", ")}`);
      return undefined;
    }
    return { id, inputs: previous.inputs, state: previous.state };
  }

  /** What makes an update necessary although no input changed; asked of the embedded registry alone, which is near. */
  private async drift(previous: Previous, values: Values, call: Call): Promise<Change[]> {
    if (hostOf(values) !== "embedded") return [];
    try {
      const inputs = readInputs(imageInputs, values);
      const registry = await this.toolbox.lookAtRegistry(inputs.registry);
      if (registry === undefined) return [];
      if (!String(previous.state.ref).startsWith(`${registry.host}/`)) return [{ path: "ref", of: "outputs" }];
      const gone = await atMost(GLANCE, missingDigests(registry, inputs, previous.state, this.ahead));
      return gone !== undefined && gone.length > 0 ? [{ path: "digest", of: "outputs" }] : [];
    } catch (error) {
      call.log("debug", `the registry could not be asked: ${String(error)}`);
      return [];
    }
  }

  private async lookForPreview(
    inputs: ImageInputs,
    call: Call,
  ): Promise<(OpenRegistry & { readonly found: Existing; readonly judged: Judged }) | undefined> {
    if ((inputs.registry.password as unknown) === UNKNOWN) return undefined;
    try {
      const registry = await this.toolbox.lookAtRegistry(inputs.registry);
      if (registry === undefined) return undefined;
      const found = await this.find(registry, inputs);
      const { standingVerdict } = await import("./judge.ts");
      return { ...registry, found, judged: await standingVerdict(registry, inputs, found) };
    } catch (error) {
      call.log("warning", `the registry can't be asked, so all platforms count as new: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** A look that fails is told, and keeps nobody from previewing. */
  private async movesOf(
    client: OpenRegistry["client"],
    inputs: ImageInputs,
    digest: string | undefined,
    call: Call,
  ): Promise<string | undefined> {
    try {
      const { floatingMoves } = await import("./floating.ts");
      return await floatingMoves(client, inputs, digest);
    } catch (error) {
      call.log("debug", `what a promote would move is not known: ${(error as Error).message}`);
      return undefined;
    }
  }

  private find(registry: OpenRegistry, inputs: ImageInputs): Promise<Existing> {
    return findExisting(registry.client, inputs, async (repository, manifest) => {
      const { sizesOf } = await import("./check.ts");
      return sizesOf((await this.toolbox.readImage(registry.client, repository, manifest)).image).unpacked;
    });
  }

  private state(
    host: string,
    inputs: ImageInputs,
    digest: string,
    platforms: readonly PlatformManifest[],
    produced: readonly Produced[],
  ): ImageState {
    return {
      ref: `${host}/${inputs.repository}@${digest}`,
      digest,
      contentHash: inputs.contentHash,
      platforms: inputs.builds.flatMap((build) => {
        const manifest = platforms.find((p) => p.platform === build.platform);
        if (manifest === undefined) return [];
        const made = produced.find((p) => p.build.platform === build.platform);
        return [
          {
            platform: build.platform,
            digest: manifest.digest,
            compressed: manifest.compressed,
            unpacked: manifest.unpacked,
            outcome: made === undefined ? ("reused" as const) : ("built" as const),
            seconds: made?.seconds ?? 0,
            node: build.node,
            mode: build.mode,
          },
        ];
      }),
    };
  }
}

/** One manifest for each platform: of the first list that has it, which this run has checked before what others did. */
function mergePlatforms(...lists: readonly (readonly PlatformManifest[])[]): PlatformManifest[] {
  const merged = new Map<string, PlatformManifest>();
  for (const manifest of lists.flat()) if (!merged.has(manifest.platform)) merged.set(manifest.platform, manifest);
  return [...merged.values()];
}

/** What a preview says beside the image: which platforms are built, why, and where. */
function plan(
  inputs: ImageInputs,
  missing: readonly PlatformBuild[],
  open: readonly PlatformManifest[],
  previous: Previous | undefined,
): string {
  const names = open.map(({ platform }) => platform).join(", ");
  const tests = open.length === 0 ? "" : `tests ${names} of the registry, which has no verdict on it as asked`;
  if (missing.length === 0) return tests || "reuses what the registry has";
  const why = previous === undefined || previous.inputs.contentHash === inputs.contentHash ? "" : " (content changed)";
  const builds = missing.map((b) => `${b.platform} ${where(b)}`).join(", ");
  const makes = inputs.built === undefined ? `builds ${builds}${why}` : `checks ${builds} once it is built${why}`;
  return tests === "" ? makes : `${makes}; ${tests}`;
}

/** Digests of the index and its platforms that the registry no longer has. */
async function missingDigests(
  { client }: OpenRegistry,
  { repository }: ImageInputs,
  state: Values,
  ahead = new Ahead(),
): Promise<string[]> {
  const platforms = Array.isArray(state.platforms) ? (state.platforms as unknown as { digest: string }[]) : [];
  const digests = [state.digest, ...platforms.map((p) => p.digest)].filter((d) => typeof d === "string");
  const there = await Promise.all(
    digests.map(
      async (digest) =>
        (await ahead.holds(repository, digest)) || (await client.headManifest(repository, digest)) !== undefined,
    ),
  );
  return digests.filter((_, i) => !there[i]);
}

function sizesByPlatform(previous: Previous | undefined): Readonly<Record<string, Sizes>> {
  const platforms = previous?.state.platforms;
  if (!Array.isArray(platforms)) return {};
  return Object.fromEntries((platforms as unknown as PlatformResult[]).map((p) => [p.platform, p]));
}

function differs(a: unknown, b: unknown): boolean {
  return canonicalJson(a ?? null) !== canonicalJson(b ?? null);
}

function platformsOf(values: Values): unknown {
  const { builds } = values;
  return Array.isArray(builds) ? builds.map((b) => (b as { platform?: unknown } | null)?.platform).toSorted() : null;
}

function hostOf(values: Values): unknown {
  return (values.registry as { host?: unknown } | undefined)?.host;
}

async function atMost<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
