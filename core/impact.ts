import type { ArtifactLock } from "./artifact.ts";
import { runnersOf } from "./cluster-plan.ts";
import type { ContextEntry } from "./context.ts";
import { entryLine } from "./context.ts";
import { originArg } from "./image.ts";
import { impactOnWorkloads, type WorkloadImpact } from "./impact-workloads.ts";
import type { CatalogueContext, CatalogueImage, Plan, PlannedImage } from "./plan.ts";

/** What one side of a comparison is made from: a plan, and the bytes behind its hashes. */
export interface Snapshot {
  readonly plan: Plan;
  readonly catalogue: readonly CatalogueImage[];
}

/** What past builds of an image took. */
export interface PastBuilds {
  /** Median over the builds that succeeded, all platforms of one build added up. */
  readonly seconds: number;
  /** Compressed bytes of the last build beyond its own base of the catalogue, all platforms. */
  readonly bytes: number;
}

/** One image that a change builds anew, or for one more platform. */
export interface ImageImpact {
  readonly image: string;
  readonly kind: "new" | "changed";
  /**
   * From the image down to what changed, each step made by the next.
   * @example ["base worker-ultramin", "images/worker-ultramin/Dockerfile changed"]
   */
  readonly reason: readonly string[];
  /** Further changes of the image's own, beside the first that `reason` ends with. */
  readonly alsoChanged: readonly string[];
  readonly forecast: PastBuilds | undefined;
  /** Services of the stack's machine that run it, and workloads with their host or cluster. @example ["weft on vps1"] */
  readonly services: readonly string[];
}

export interface Impact {
  readonly images: readonly ImageImpact[];
  /** Images of the earlier plan that the later one no longer has. */
  readonly removed: readonly string[];
  readonly unchanged: number;
  /** Workloads that come, go or start anew for their settings; for a new image alone, they stand with the image. */
  readonly workloads: readonly WorkloadImpact[];
  /** Sum over the images that have a past; undefined where none has. */
  readonly forecast: (PastBuilds & { readonly unknown: number }) | undefined;
}

/**
 * Which images a change rebuilds, and why, in build order, and what else it has start anew.
 * @param past what builds of each image took before, by name.
 */
export function impact(before: Snapshot, after: Snapshot, past: ReadonlyMap<string, PastBuilds> = new Map()): Impact {
  const earlier = new Map(before.plan.images.map((i) => [i.name, i]));
  const images: ImageImpact[] = [];
  const moved = new Map<string, ImageImpact>();
  for (const image of after.plan.images) {
    const was = earlier.get(image.name);
    const same = was?.contentHash === image.contentHash;
    const platforms = newPlatforms(image, was);
    if (same && platforms.length === 0) continue;
    const own = was === undefined ? ["it is new in the plan"] : same ? [] : ownChanges(image.name, before, after);
    const [first, ...others] = [...own, ...platforms];
    const inherited = same ? [] : inheritedReason(image, was, moved, before, after);
    const reason = first === undefined ? inherited : [first];
    const found: ImageImpact = {
      image: image.name,
      kind: was === undefined ? "new" : "changed",
      reason: reason.length > 0 ? reason : ["what its hash covers changed"],
      alsoChanged: first === undefined ? [] : [...others, ...(inherited.length > 0 ? [inherited.join(" ← ")] : [])],
      forecast: past.get(image.name),
      services: runners(image.name, after.plan),
    };
    images.push(found);
    if (!same) moved.set(image.name, found);
  }
  const names = new Set(after.plan.images.map((i) => i.name));
  return {
    images,
    removed: before.plan.images.map((i) => i.name).filter((name) => !names.has(name)),
    unchanged: after.plan.images.length - images.length,
    workloads: impactOnWorkloads(before.plan, after.plan),
    forecast: total(images),
  };
}

/** Who runs an image, and so gets a new one. */
function runners(image: string, { machine, hosts = [], clusters = [] }: Plan): string[] {
  const running = hosts.flatMap((host) => host.services.map((service) => ({ ...service, host: host.name })));
  return [
    ...(machine?.services ?? [])
      .filter((s) => s.image === image && !running.some(({ name }) => name === s.name))
      .map((s) => s.name),
    // What follows a channel gets a new image from a promote.
    ...running.filter((s) => s.image === image && s.channel === undefined).map((s) => `${s.name} on ${s.host}`),
    ...clusters.flatMap((cluster) => runnersOf(image, cluster).map((name) => `${name} on ${cluster.name}`)),
  ];
}

/** Platforms that it is built for now and was not: no hash covers them. */
function newPlatforms({ builds }: PlannedImage, was: PlannedImage | undefined): string[] {
  if (was === undefined) return [];
  const before = new Set(was.builds.map(({ platform }) => platform));
  return builds.flatMap(({ platform }) => (before.has(platform) ? [] : [`platform ${platform} is new in the plan`]));
}

function total(images: readonly ImageImpact[]): Impact["forecast"] {
  const known = images.flatMap((i) => i.forecast ?? []);
  if (known.length === 0) return undefined;
  return {
    seconds: known.reduce((sum, f) => sum + f.seconds, 0),
    bytes: known.reduce((sum, f) => sum + f.bytes, 0),
    unknown: images.length - known.length,
  };
}

/** What changed in the image's own folder, definition and locks. */
function ownChanges(name: string, before: Snapshot, after: Snapshot): string[] {
  const [was, is] = [before, after].map((s) => s.catalogue.find((c) => c.definition.name === name));
  if (was === undefined || is === undefined) return [];
  const changes: string[] = [];
  if (was.dockerfile !== is.dockerfile) changes.push(`${is.folder}/Dockerfile changed`);
  changes.push(...entryChanges(was.context, is.context).map((c) => `${is.folder}/${c}`));
  if (was.definition.base !== is.definition.base)
    changes.push(`${is.folder}/image.ts: base ${was.definition.base} → ${is.definition.base}`);
  if (was.definition.target !== is.definition.target)
    changes.push(
      `${is.folder}/image.ts: target ${was.definition.target ?? "(last)"} → ${is.definition.target ?? "(last)"}`,
    );
  changes.push(...argumentChanges(was, is), ...machineChanges(name, before, after));
  for (const key of union(Object.keys(was.contexts), Object.keys(is.contexts)))
    changes.push(...contextChanges(key, was.contexts[key], is.contexts[key], is.folder));
  return changes;
}

function argumentChanges(was: CatalogueImage, is: CatalogueImage): string[] {
  const [a, b] = [was.definition.args ?? {}, is.definition.args ?? {}];
  return union(Object.keys(a), Object.keys(b))
    .filter((key) => a[key] !== b[key])
    .map((key) => `${is.folder}/image.ts: argument ${key} ${a[key] ?? "(unset)"} → ${b[key] ?? "(unset)"}`);
}

/** What the stack's machine gives to the build: values that people do not read are left out. */
function machineChanges(name: string, before: Snapshot, after: Snapshot): string[] {
  const [a, b] = [before, after].map(({ plan, catalogue }) => {
    const { definition, contexts = {} } = catalogue.find((c) => c.definition.name === name) ?? {};
    const known = [...Object.keys(definition?.args ?? {}), ...Object.keys(contexts).map(originArg)];
    const { args = {} } = plan.images.find((i) => i.name === name) ?? {};
    return Object.fromEntries(Object.entries(args).filter(([key]) => !known.includes(key)));
  });
  return union(Object.keys(a ?? {}), Object.keys(b ?? {}))
    .filter((key) => a?.[key] !== b?.[key])
    .map((key) => {
      const [x = "(unset)", y = "(unset)"] = [a?.[key], b?.[key]];
      return `keelson:machine: argument ${key} ${x.length + y.length > 60 ? "changed" : `${x} → ${y}`}`;
    });
}

function contextChanges(
  key: string,
  was: CatalogueContext | undefined,
  is: CatalogueContext | undefined,
  folder: string,
): string[] {
  if (is === undefined) return [`${folder}/image.ts: context ${key} is gone`];
  if (was === undefined || was.kind !== is.kind) return [`${folder}/image.ts: context ${key} is new`];
  if (was.kind === "lock" && is.kind === "lock") return lockChanges(was.lock, is.lock).map((c) => `${is.file}: ${c}`);
  if (was.kind === "path" && is.kind === "path")
    return entryChanges(was.entries, is.entries).map((c) => `${is.path}/${c}`);
  if (was.kind === "source" && is.kind === "source")
    return entryChanges(was.entries, is.entries).map((c) => `${is.path}/${c}`);
  if (was.kind === "image" && is.kind === "image" && was.image !== is.image)
    return [`${folder}/image.ts: context ${key} ${was.image} → ${is.image}`];
  if (was.kind === "base" && is.kind === "base" && was.base !== is.base)
    return [`${folder}/image.ts: context ${key} ${was.base} → ${is.base}`];
  return [];
}

function entryChanges(was: readonly ContextEntry[], is: readonly ContextEntry[]): string[] {
  const [a, b] = [was, is].map((entries) => new Map(entries.map((e) => [e.path, entryLine(e)])));
  return union(a?.keys() ?? [], b?.keys() ?? []).flatMap((path) => {
    const [x, y] = [a?.get(path), b?.get(path)];
    if (x === y) return [];
    return [
      `${path} ${x === undefined ? "is new in the build context" : y === undefined ? "is gone from the build context" : "changed"}`,
    ];
  });
}

/** What moved in a lock: by package and version where the lock has them, else by file. */
function lockChanges(was: ArtifactLock, is: ArtifactLock): string[] {
  const label = (lock: ArtifactLock) =>
    new Map(lock.artifacts.map((a) => [`${a.name ?? a.file}${a.platform ? ` (${a.platform})` : ""}`, a]));
  const [a, b] = [label(was), label(is)];
  return union(a.keys(), b.keys()).flatMap((key) => {
    const [x, y] = [a.get(key), b.get(key)];
    if (x?.integrity === y?.integrity && x?.file === y?.file) return [];
    if (x === undefined) return [`${key} is new`];
    if (y === undefined) return [`${key} is gone`];
    return [x.version === y.version ? `${key} has other bytes` : `${key} ${x.version} → ${y.version}`];
  });
}

/** The chain through a base or an image that is read, where that is built anew as well. */
function inheritedReason(
  image: PlannedImage,
  was: PlannedImage | undefined,
  found: ReadonlyMap<string, ImageImpact>,
  before: Snapshot,
  after: Snapshot,
): readonly string[] {
  if (was === undefined) return [];
  if (image.base.kind === "image") {
    const parent = found.get(image.base.name);
    if (parent !== undefined) return [`base ${parent.image}`, ...parent.reason];
  }
  const taken = [was, image].flatMap(({ contexts }) =>
    Object.values(contexts).flatMap((context) => (context.kind === "base" ? [context.base] : [])),
  );
  for (const base of [...(image.base.kind === "image" ? [] : [image.base.name]), ...taken]) {
    const [x, y] = [before, after].map((s) => s.plan.bases.find((b) => b.name === base));
    if (x !== undefined && y !== undefined && x.contentHash !== y.contentHash)
      return [`base ${y.name} moved: ${x.contentHash.slice(0, 12)} → ${y.contentHash.slice(0, 12)} (${y.origin})`];
  }
  for (const context of Object.values(image.contexts)) {
    const parent = context.kind === "image" ? found.get(context.image) : undefined;
    if (parent !== undefined) return [`reads ${parent.image}`, ...parent.reason];
  }
  return [];
}

function union(a: Iterable<string>, b: Iterable<string>): string[] {
  return [...new Set([...a, ...b])].toSorted();
}
