import type { ArtifactLock } from "./artifact.ts";
import type { BasesLock, LockedBase } from "./base.ts";
import type { PlannedSandbox } from "./cloudflare/sandbox-plan.ts";
import type { PlannedCluster } from "./cluster-plan.ts";
import type { ContextEntry } from "./context.ts";
import type { CudaWish } from "./cuda/wish.ts";
import type { DefinitionLines } from "./definition-lines.ts";
import { parseDockerfile } from "./dockerfile.ts";
import { type Finding, sortFindings } from "./finding.ts";
import { bootstrapHash, contextHash, imageContentHash, lockHash } from "./hash.ts";
import type { PlannedHost } from "./host-plan.ts";
import { type Allowance, type Budget, type Health, type ImageDefinition, originArg } from "./image.ts";
import {
  buildOrder,
  checkLineage,
  hint,
  type LineageNode,
  parents,
  type UnreadBase,
  withAncestors,
} from "./lineage.ts";
import { lintLineage } from "./lineage-lint.ts";
import type { PlannedMachine } from "./machine-plan.ts";
import type { Platform } from "./platform.ts";
import { formatReference, parseReference, repositoryOf } from "./reference.ts";
import type { SOURCE_LABELS } from "./source.ts";
import { imageTags, type Revision, type SourceRevision, sourceRelease, sourceVersion } from "./tags.ts";
import type { PlannedVolume } from "./volume/volume.ts";

/** How one platform of an image is built: natively on a node that has it, or under QEMU. */
export interface PlannedBuild {
  readonly platform: Platform;
  /** Name of the builder's node. */
  readonly node: string;
  readonly mode: "native" | "qemu";
}

/** A named context of a planned image: what the builder sees beside the image's own folder. */
export type PlannedContext =
  | { readonly kind: "path"; readonly path: string; readonly hash: string }
  | { readonly kind: "source"; readonly path: string; readonly hash: string }
  | { readonly kind: "lock"; readonly file: string; readonly hash: string }
  | { readonly kind: "image"; readonly image: string; readonly hash: string }
  /** `ref`: by digest. */
  | { readonly kind: "base"; readonly base: string; readonly ref: string; readonly hash: string };

/** One image of the plan. Hashes, names and secret references; never a digest that a build would give. */
export interface PlannedImage {
  readonly name: string;
  readonly family: string;
  readonly description: string;
  readonly version: string;
  /** Folder of the definition, relative to the project, with slashes. */
  readonly folder: string;
  readonly base: { readonly kind: "image" | "external"; readonly name: string };
  readonly contexts: Readonly<Record<string, PlannedContext>>;
  readonly args: Readonly<Record<string, string>>;
  readonly target?: string;
  /** Hex sha256 over everything that the build sees, for all platforms: equal hash, equal image. */
  readonly contentHash: string;
  readonly builds: readonly PlannedBuild[];
  /** Repository in the registry, with the stack's prefix. @example "acme/worker-minimal" */
  readonly repository: string;
  /** Tags beside `h-<contentHash>`. */
  readonly tags: readonly string[];
  /** Tag that a promotion puts on it as well: the release of the sources that the stack names. @example "1.4.0" */
  readonly release?: string;
  readonly budget: Budget;
  readonly health?: Health;
  readonly user: string;
  readonly smoke?: string;
  /** What gates may find in it: its own allowances, and those of the images that it is made from. */
  readonly allow?: readonly Allowance[];
  readonly annotations: Readonly<Record<string, string>>;
  /** For images of a CUDA track on a stack with a GPU: the cards that their code has to run on. */
  readonly cuda?: CudaWish;
}

/** An external base as the plan uses it. */
export interface PlannedBase {
  readonly name: string;
  readonly platforms: readonly Platform[];
  /** `upstream`: pulled by digest from its registry. `bootstrapped`: made from locked packages. */
  readonly origin: "upstream" | "bootstrapped";
  /** Of one that images only take files from, where it is not pulled: the lock of the packages that these come from instead. */
  readonly lock?: string;
  /** Hex sha256 of what pins it: the upstream digest, or the lock of its packages. */
  readonly contentHash: string;
  /** Upstream's digest, where the base is pulled. */
  readonly digest?: string;
}

/** Everything that a stack will build and run, as plain JSON, worked out before any resource exists. */
export interface Plan {
  readonly schema: 1;
  readonly stack: string;
  /** Where images are pushed: the registry's host, or `embedded` for the one that the toolchain runs. */
  readonly registry: string;
  /** The commit that images are tagged with; absent for a tree that differs from its commit. */
  readonly commit?: { readonly id: string; readonly date: string };
  readonly bases: readonly PlannedBase[];
  /** In build order: an image stands after all that it is built from. */
  readonly images: readonly PlannedImage[];
  /** The stack's machine and what runs on it; absent for a stack without one. */
  readonly machine?: PlannedMachine;
  /** Where data is kept; absent for a stack without volumes. */
  readonly volumes?: readonly PlannedVolume[];
  /** Servers and what runs on them; absent for a stack without any. */
  readonly hosts?: readonly PlannedHost[];
  /** Kubernetes clusters and what runs on them; absent for a stack without any. */
  readonly clusters?: readonly PlannedCluster[];
  /** Containers behind Workers at Cloudflare; absent for a stack without any. */
  readonly sandboxes?: readonly PlannedSandbox[];
  /** The gateway's image that `up` runs on this machine; absent where it runs none. */
  readonly gateway?: string;
}

/** One definition with the bytes that its build sees, as read from disk. */
export interface CatalogueImage {
  readonly definition: ImageDefinition;
  /** Where its keys stand in image.ts, for findings. */
  readonly lines?: DefinitionLines;
  /** Relative to the project, with slashes. @example "images/worker-minimal" */
  readonly folder: string;
  readonly dockerfile: string;
  readonly context: readonly ContextEntry[];
  readonly contexts: Readonly<Record<string, CatalogueContext>>;
  /** True where the stack's config decides what the build sees: a commit alone does not name it then. */
  readonly configured?: boolean;
  /** Of the sources that the stack names, where nothing else of its config has a say and they have a repository of their own. */
  readonly sources?: SourceRevision | undefined;
}

export type CatalogueContext =
  | { readonly kind: "path"; readonly path: string; readonly entries: readonly ContextEntry[] }
  /** Sources: relative to the project as well, but they may lie outside of it. */
  | { readonly kind: "source"; readonly path: string; readonly entries: readonly ContextEntry[] }
  | { readonly kind: "lock"; readonly file: string; readonly lock: ArtifactLock }
  | { readonly kind: "image"; readonly image: string }
  /** `else`: the context, a lock, that is given where the base can't be. */
  | { readonly kind: "base"; readonly base: string; readonly else: string };

/** A builder's node: the platforms it runs natively, and those that it emulates. */
export interface BuilderNode {
  readonly name: string;
  readonly native: readonly Platform[];
  readonly emulated: readonly Platform[];
}

/** `upstream`: pulled by digest. `bootstrapped`: made from packages. */
type BaseOrigin = "upstream" | "bootstrapped";

/** All that a plan follows from. */
export interface PlanInput {
  readonly stack: string;
  readonly registry: string;
  /** Before every repository, such as an organisation; empty for none. */
  readonly prefix: string;
  /** Names of the images that the stack wants; what they are built from comes with them. */
  readonly images: readonly string[];
  /** Of images that something else than `keelson:images` wants: the config's key that does. */
  readonly askedBy?: ReadonlyMap<string, { readonly key: string; readonly any: boolean }> | undefined;
  /** Platforms that the stack wants, of those that a definition has; undefined: all. */
  readonly platforms?: readonly Platform[] | undefined;
  readonly catalogue: readonly CatalogueImage[];
  /** Definitions that the stack does not build: they are held to the lineage's rules, and what they build is not read. */
  readonly others?: readonly LineageNode[];
  /** Names of images whose definitions can't be read: what is wrong about them is told elsewhere. */
  readonly unread?: readonly string[];
  /** The bases that these name, as far as they do. */
  readonly unreadBases?: readonly UnreadBase[];
  readonly bases: BasesLock;
  /** Where all bases are to come from, or the names of those that have to be made here; the default follows from the lock. */
  readonly baseOrigin?: BaseOrigin | { readonly bootstrapped: ReadonlySet<string> } | undefined;
  readonly nodes: readonly BuilderNode[];
  readonly revision?: Revision | undefined;
  /** Where the catalogue's source is kept, for image annotations. */
  readonly source?: string | undefined;
  /** The stack's machine. */
  readonly machine?: MachineInput | undefined;
  readonly volumes?: readonly PlannedVolume[] | undefined;
  /** The stack's hosts, worked out by core/host-plan.ts. */
  readonly hosts?: readonly PlannedHost[] | undefined;
  /** The stack's clusters, worked out by core/cluster-plan.ts. */
  readonly clusters?: readonly PlannedCluster[] | undefined;
  /** The stack's containers at Cloudflare, worked out by core/cloudflare/sandbox-plan.ts. */
  readonly sandboxes?: readonly PlannedSandbox[] | undefined;
  /** `keelson:gateway.run`. */
  readonly gateway?: string | undefined;
}

/** What a plan takes from its machine, worked out by core/machine-plan.ts. */
export interface MachineInput {
  readonly planned: PlannedMachine;
  /** Arguments for the images that ask for them. */
  readonly buildArgs: Readonly<Record<string, string>>;
  /** What CUDA images are for; undefined without a GPU. */
  readonly cuda?: Required<CudaWish> | undefined;
}

/**
 * Works out what a stack will build. Pure: the same input gives the same plan, on any machine.
 * @returns the plan, and findings; a plan with error findings must not be carried out.
 */
export function makePlan(input: PlanInput): { readonly plan: Plan; readonly findings: readonly Finding[] } {
  const nodes = [
    ...input.catalogue.map(({ definition, folder, lines }) => ({
      ...{ definition, file: `${folder}/image.ts` },
      ...(lines === undefined ? {} : { lines }),
    })),
    ...(input.others ?? []),
  ].toSorted((a, b) => (a.file < b.file ? -1 : 1));
  const findings: Finding[] = [
    ...checkLineage(nodes, input.bases.bases, input.unread, input.unreadBases),
    ...unknownImages(
      input.images,
      [...new Set([...nodes.map((n) => n.definition.name), ...(input.unread ?? [])])],
      input.askedBy,
    ),
  ];
  const byName = new Map(input.catalogue.map((c) => [c.definition.name, c]));
  const all = buildOrder([...byName.values()].map((c) => c.definition));
  // Also images that the lineage's faults keep from being planned: their Dockerfiles are looked at all the same.
  const wanted = withAncestors(
    [...byName.values()].map((c) => c.definition),
    input.images,
  );
  findings.push(...input.catalogue.filter((c) => wanted.has(c.definition.name)).flatMap(lintDockerfile));
  const hashes = new Map<string, string>();
  const bases = new Map<string, PlannedBase>();
  const configured = new Map<string, SourceRevision | undefined>();
  const images: PlannedImage[] = [];
  for (const definition of all.filter((d) => wanted.has(d.name))) {
    const entry = byName.get(definition.name) as CatalogueImage;
    const locked = input.bases.bases.find((b) => b.name === definition.base);
    if (locked !== undefined && !byName.has(definition.base) && !bases.has(locked.name)) {
      const origin = originOf(locked, input.baseOrigin);
      bases.set(locked.name, planBase(locked, origin));
      findings.push(...checkBase(locked.name, locked.digest, locked.bootstrap !== undefined, origin));
    }
    for (const taken of takenFrom(entry)) {
      const { lock } = taken;
      const source = input.bases.bases.find((b) => b.name === taken.base);
      if (source === undefined || lock === undefined || bases.has(source.name)) continue; // reported by checkLineage
      const origin = originOf(source, input.baseOrigin);
      bases.set(source.name, planTaken(source, lock, origin));
      findings.push(...checkBase(source.name, source.digest, true, origin));
    }
    const base = hashes.get(definition.base) ?? bases.get(definition.base)?.contentHash;
    if (base === undefined) continue; // reported by checkLineage
    const contexts = planContexts(entry, hashes, bases);
    const fromMachine = machineArgs(definition, input.machine);
    const origins = takenFrom(entry).map(({ context, base }) => ({ context, base: bases.get(base) }));
    const args = { ...definition.args, ...fromMachine, ...originArgs(origins) };
    const says = [
      ...(entry.configured === true ? [entry.sources] : []),
      ...(Object.keys(fromMachine).length > 0 ? [undefined] : []),
      ...parents(definition, new Set(configured.keys())).map((name) => configured.get(name)),
    ];
    const isConfigured = says.length > 0;
    const sources = isConfigured ? sourceVersion(says) : undefined;
    if (isConfigured) configured.set(definition.name, sources);
    const revision = input.revision && sources ? { ...input.revision, release: sources.release } : input.revision;
    const release = sourceRelease(definition, input.revision, sources);
    const contentHash = imageContentHash({
      dockerfile: entry.dockerfile,
      target: definition.target,
      args,
      context: entry.context,
      contexts: Object.fromEntries(Object.entries(contexts).map(([name, c]) => [name, c.hash])),
      base,
    });
    hashes.set(definition.name, contentHash);
    const platforms = definition.platforms.filter((p) => input.platforms?.includes(p) ?? true);
    images.push({
      name: definition.name,
      family: definition.family,
      description: definition.description,
      version: definition.version,
      folder: entry.folder,
      base: { kind: byName.has(definition.base) ? "image" : "external", name: definition.base },
      contexts,
      args,
      ...(definition.target === undefined ? {} : { target: definition.target }),
      contentHash,
      builds: platforms.flatMap((platform) => planBuild(definition, platform, input.nodes, findings)),
      repository: repositoryOf(input.prefix, definition.name),
      tags: imageTags(definition, revision, isConfigured ? contentHash : undefined),
      ...(release === undefined ? {} : { release }),
      budget: definition.budget,
      ...(definition.health === undefined ? {} : { health: definition.health }),
      user: definition.user,
      ...(definition.smoke === undefined ? {} : { smoke: definition.smoke }),
      ...allowances(definition, byName),
      annotations: { ...imageAnnotations(definition, input.source), ...originAnnotations(origins) },
      ...cudaWish(definition, input.machine),
    });
  }
  const plan: Plan = {
    schema: 1,
    stack: input.stack,
    registry: input.registry,
    ...(input.revision === undefined || input.revision.dirty
      ? {}
      : { commit: { id: input.revision.commit, date: input.revision.date } }),
    bases: [...bases.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    images,
    ...(input.machine === undefined ? {} : { machine: input.machine.planned }),
    ...(input.volumes === undefined ? {} : { volumes: input.volumes }),
    ...(input.hosts === undefined || input.hosts.length === 0 ? {} : { hosts: input.hosts }),
    ...(input.clusters === undefined || input.clusters.length === 0 ? {} : { clusters: input.clusters }),
    ...(input.sandboxes === undefined || input.sandboxes.length === 0 ? {} : { sandboxes: input.sandboxes }),
    ...(input.gateway === undefined ? {} : { gateway: input.gateway }),
  };
  return { plan, findings: sortFindings(findings) };
}

/** The build arguments of the stack's machine that an image asks for. */
function machineArgs({ machineArgs = [] }: ImageDefinition, machine: MachineInput | undefined): Record<string, string> {
  return Object.fromEntries(
    machineArgs.flatMap((name) => {
      const value = machine?.buildArgs[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** A definition's allowances and its ancestors', whose layers it has. */
function allowances(
  definition: ImageDefinition,
  byName: ReadonlyMap<string, CatalogueImage>,
): { readonly allow?: readonly Allowance[] } {
  const allow: Allowance[] = [];
  for (let d: ImageDefinition | undefined = definition; d !== undefined; d = byName.get(d.base)?.definition)
    allow.push(...(d.allow ?? []));
  return allow.length === 0 ? {} : { allow };
}

/** What the gates hold a CUDA image's code against: its list only where it is compiled for one, and not taken ready-made. */
function cudaWish(
  { track, machineArgs = [] }: ImageDefinition,
  machine: MachineInput | undefined,
): { readonly cuda?: CudaWish } {
  if (track === undefined || machine?.cuda === undefined) return {};
  const { targets, archs } = machine.cuda;
  const compiled = machineArgs.some((name) => !name.startsWith("MACHINE"));
  return { cuda: { targets, ...(compiled ? { archs } : {}) } };
}

/** The OCI image specification's annotations that no commit changes; the definition's own win. */
function imageAnnotations(definition: ImageDefinition, source: string | undefined): Record<string, string> {
  const prefix = "org.opencontainers.image";
  const home = said(definition, "SOURCE") ?? source;
  return {
    [`${prefix}.title`]: definition.name,
    [`${prefix}.description`]: definition.description,
    [`${prefix}.version`]: said(definition, "VERSION") ?? definition.version,
    ...(home === undefined ? {} : { [`${prefix}.source`]: home }),
    ...definition.annotations,
  };
}

/** What an image's label is made from, where an argument says it: its sources' own word. */
function said({ args = {} }: ImageDefinition, label: (typeof SOURCE_LABELS)[number]): string | undefined {
  return args[label] || undefined;
}

function unknownImages(
  images: readonly string[],
  names: readonly string[],
  askedBy: PlanInput["askedBy"] = new Map(),
): Finding[] {
  return images
    .filter((name) => !names.includes(name))
    .map((name) => {
      const { key = "keelson:images", any = false } = askedBy.get(name) ?? {};
      const elsewhere = any ? `, or one from elsewhere with its version, as ${name}:1.2.3` : "";
      return {
        rule: "config/unknown-image",
        severity: "error",
        subject: key,
        message: `"${name}" is no image of the catalogue`,
        fix: `write some of: ${names.toSorted().join(", ")}${elsewhere}${hint(name, names)}`,
      };
    });
}

/** What the builder would refuse in the Dockerfile, and reads that the content hash would not see. */
function lintDockerfile({ definition, dockerfile, folder, contexts: read }: CatalogueImage): Finding[] {
  const file = parseDockerfile(dockerfile, `${folder}/Dockerfile`);
  const contexts = Object.keys(read);
  const { name: image, target } = definition;
  const refused = file.findings.map((finding) => ({ ...finding, subject: image }));
  return [...refused, ...lintLineage(file, { image, contexts, ...(target === undefined ? {} : { target }) })];
}

/** What the stack, or a registry that does not answer, says of one base; undefined where its lock decides. */
function originOf({ name }: LockedBase, origin: PlanInput["baseOrigin"]): BaseOrigin | undefined {
  if (typeof origin !== "object") return origin;
  return origin.bootstrapped.has(name) ? "bootstrapped" : undefined;
}

function planBase(locked: LockedBase, origin: BaseOrigin | undefined): PlannedBase {
  const bootstrapped =
    locked.bootstrap !== undefined && (origin ?? (locked.digest ? "upstream" : "bootstrapped")) === "bootstrapped";
  if (bootstrapped || locked.digest === undefined)
    return {
      name: locked.name,
      platforms: locked.platforms,
      origin: "bootstrapped",
      contentHash: locked.bootstrap === undefined ? "" : bootstrapHash(locked.bootstrap),
    };
  return {
    name: locked.name,
    platforms: locked.platforms,
    origin: "upstream",
    contentHash: locked.digest.replace(/^sha256:/, ""),
    digest: locked.digest,
  };
}

/** The external bases that an image takes files from, each with the lock that stands in for it. */
function takenFrom({ contexts }: CatalogueImage) {
  return Object.entries(contexts).flatMap(([context, source]) => {
    if (source.kind !== "base") return [];
    const lock = contexts[source.else];
    return [{ context, base: source.base, lock: lock?.kind === "lock" ? lock : undefined }];
  });
}

/** A base that images only take files from. */
function planTaken(
  locked: LockedBase,
  instead: Extract<CatalogueContext, { kind: "lock" }>,
  origin: BaseOrigin | undefined,
): PlannedBase {
  if (locked.digest !== undefined && origin !== "bootstrapped") return planBase(locked, "upstream");
  const { name, platforms } = locked;
  return { name, platforms, origin: "bootstrapped", lock: instead.file, contentHash: lockHash(instead.lock) };
}

type TakenOrigins = readonly { readonly context: string; readonly base: PlannedBase | undefined }[];

/** Tells the Dockerfile where the files come from, for its label. */
function originArgs(taken: TakenOrigins): Record<string, string> {
  return Object.fromEntries(
    taken.flatMap(({ context, base }) => (base === undefined ? [] : [[originArg(context), base.origin]])),
  );
}

/** As bases that are made from packages have them: where the files come from, and what pins them. */
function originAnnotations(taken: TakenOrigins): Record<string, string> {
  const annotations: Record<string, string> = {};
  for (const { context, base } of taken) {
    if (base === undefined) continue;
    const prefix = `io.keelson.${context}`;
    annotations[`${prefix}.origin`] = base.origin;
    if (base.origin === "upstream") annotations[`${prefix}.base`] = referenceOf(base);
    else annotations[`${prefix}.lock`] = base.contentHash;
  }
  return annotations;
}

/** @example referenceOf(base) // "docker.io/nvidia/cuda:12.1.1-runtime-ubuntu22.04@sha256:…" */
function referenceOf({ name, digest }: PlannedBase): string {
  return formatReference({ ...parseReference(name), ...(digest === undefined ? {} : { digest }) });
}

/** What keeps a base from being had as the stack wants it: another origin is never taken in silence. */
function checkBase(
  name: string,
  digest: string | undefined,
  hasPackages: boolean,
  origin: BaseOrigin | undefined,
): Finding[] {
  const rule = "bases/origin";
  const update = "run `npm run keelson -- bases update` where its registry answers";
  if (digest === undefined && !hasPackages)
    return [
      {
        rule,
        severity: "error",
        subject: name,
        message: "images/bases.lock.json has neither a digest nor packages for it",
        fix: update,
      },
    ];
  if (origin === "upstream" && digest === undefined)
    return [
      {
        rule,
        severity: "error",
        subject: name,
        message: "keelson:bases is upstream, but images/bases.lock.json has no digest for it",
        fix: `${update}, or set keelson:bases to auto`,
      },
    ];
  if (origin === "bootstrapped" && !hasPackages)
    return [
      {
        rule,
        severity: "error",
        subject: name,
        message: "keelson:bases is bootstrapped, but images/bases.lock.json has no packages for it",
        fix: "set keelson:bases to auto",
      },
    ];
  return [];
}

function planContexts(
  entry: CatalogueImage,
  hashes: ReadonlyMap<string, string>,
  bases: ReadonlyMap<string, PlannedBase>,
): Record<string, PlannedContext> {
  const planned: Record<string, PlannedContext> = {};
  const pulled = (base: string) => {
    const found = bases.get(base);
    return found?.origin === "upstream" ? found : undefined;
  };
  const replaced = Object.values(entry.contexts).flatMap((c) => (c.kind === "base" && pulled(c.base) ? [c.else] : []));
  for (const [name, c] of Object.entries(entry.contexts).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (c.kind === "base") {
      const base = pulled(c.base);
      if (base !== undefined)
        planned[name] = { kind: "base", base: base.name, ref: referenceOf(base), hash: base.contentHash };
      continue;
    }
    if (replaced.includes(name)) continue;
    if (c.kind === "path" || c.kind === "source")
      planned[name] = { kind: c.kind, path: c.path, hash: contextHash(c.entries) };
    else if (c.kind === "lock") planned[name] = { kind: "lock", file: c.file, hash: lockHash(c.lock) };
    else planned[name] = { kind: "image", image: c.image, hash: hashes.get(c.image) ?? "" };
  }
  return planned;
}

/** The node that builds a platform: one that has it natively before one that emulates it; the first of each. */
function planBuild(
  definition: ImageDefinition,
  platform: Platform,
  nodes: readonly BuilderNode[],
  findings: Finding[],
): PlannedBuild[] {
  const native = nodes.find((n) => n.native.includes(platform));
  if (native !== undefined) return [{ platform, node: native.name, mode: "native" }];
  const emulated = nodes.find((n) => n.emulated.includes(platform));
  if (emulated !== undefined) return [{ platform, node: emulated.name, mode: "qemu" }];
  findings.push({
    rule: "builder/platform",
    severity: "error",
    subject: definition.name,
    message: `no node of the builder builds ${platform}: ${nodes.map((n) => `${n.name} has ${[...n.native, ...n.emulated].join(", ") || "none"}`).join("; ") || "there is no node"}`,
    fix: `add a node with ${platform} to keelson:builder, install qemu-user-static on one, or take the platform from keelson:platforms`,
  });
  return [];
}
