import { type Dockerfile, dockerfileInputs, findTarget, type Reference, type Stage, type Use } from "../dockerfile.ts";
import type { Build, Facts, Pattern } from "./facts.ts";
import type { AdoptedImage, Draft, Link, ResolvedBuild, Source } from "./model.ts";
import { clean, imageNames, shortNames } from "./names.ts";
import { isKnown, mayEqual, splitRef } from "./pattern.ts";

/** Finds each build's Dockerfile among those of the tree. */
export function resolveBuilds(facts: Facts, files: readonly Dockerfile[]): ResolvedBuild[] {
  const byPath = new Map(files.map((file) => [file.file, file]));
  return facts.builds.map((build) => {
    for (const path of build.dockerfiles) {
      const known = byPath.get(path);
      if (known) return { build, files: [known], exact: true };
      if (isKnown(path)) continue;
      const matching = files.filter((file) => mayEqual(path, file.file));
      if (matching.length > 0) return { build, files: matching, exact: matching.length === 1 };
    }
    return { build, files: [], exact: false };
  });
}

/** The images of a tree, in order of their ids, with what they are built from. */
export function findImages(
  files: readonly Dockerfile[],
  resolved: readonly ResolvedBuild[],
  root: string,
): AdoptedImage[] {
  const drafts = files.flatMap((file) => drafted(file, resolved));
  const names = imageNames(drafts, root);
  const finder = new Finder(drafts, resolved, root);
  return drafts
    .map((draft) => ({ ...draft, name: names.get(draft.id) ?? draft.id, ...links(draft, finder) }))
    .toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** Targets that someone builds and names; the last stage where nobody does. */
function drafted(file: Dockerfile, resolved: readonly ResolvedBuild[]): Draft[] {
  const last = file.stages.at(-1);
  if (!last) return [];
  const own = resolved.filter((one) => one.exact && one.files[0] === file).map(({ build }) => build);
  const byStage = new Map<Stage, Build[]>();
  for (const build of own) {
    const stage: Stage | undefined =
      build.target === undefined || !isKnown(build.target) ? last : findTarget(file, build.target);
    // A target without a tag is a step that gives files or runs tests, unless it is what the file is for.
    if (stage && (stage === last || build.tags.length > 0 || build.by === "compose"))
      byStage.set(stage, [...(byStage.get(stage) ?? []), build]);
  }
  if (byStage.size === 0) byStage.set(last, []);
  return [...byStage].map(([stage, builds]) => {
    const target = stage === last ? undefined : (stage.name ?? String(stage.index));
    return {
      id: target === undefined ? file.file : `${file.file}#${target}`,
      file,
      stage,
      ...(target === undefined ? {} : { target }),
      builds,
      tags: [...new Set(builds.flatMap((build) => build.tags))],
      platforms: [...new Set(builds.flatMap((build) => build.platforms))],
    };
  });
}

/** Finds the image of the tree that a name means. */
export class Finder {
  /** Full repository to its producers. */
  private readonly byRepository = new Map<string, { readonly tag: Pattern; readonly id: string }[]>();
  private readonly patterns: {
    readonly repository: Pattern;
    readonly names: ReadonlyMap<string, readonly string[]>;
  }[] = [];
  /** Images by the name of their folder or Dockerfile, where only one has it. */
  private readonly byName = new Map<string, string | undefined>();
  private readonly byBuild = new Map<string, string>();
  /** Registry paths that the tree's images are under: `ghcr.io/acme/`. */
  private readonly own: ReadonlySet<string>;

  constructor(drafts: readonly Draft[], resolved: readonly ResolvedBuild[], root: string) {
    for (const draft of drafts) {
      for (const tag of draft.tags) this.add(tag, draft.id);
      for (const build of draft.builds)
        if (build.name !== undefined) this.byBuild.set(`${build.file}\0${build.name}`, draft.id);
    }
    const names = new Map(drafts.map((draft) => [draft, shortNames(draft, root)]));
    for (const [{ id }, own] of names) {
      for (const name of own) this.byName.set(name, this.byName.has(name) ? undefined : id);
    }
    for (const { build, files, exact } of resolved) {
      if (exact || files.length === 0) continue;
      const members = new Set(files.map((file) => file.file));
      const own = new Map<string, string[]>();
      for (const [{ id }, called] of names) {
        if (members.has(id)) for (const name of called) own.set(name, [...(own.get(name) ?? []), id]);
      }
      for (const tag of build.tags) this.patterns.push({ repository: splitRef(tag).repository, names: own });
    }
    this.own = this.ownPaths(drafts);
  }

  /**
   * Paths of the tree's own images: those of its tags, and those under which every FROM, two at least, has the name of
   * an image of the tree.
   */
  private ownPaths(drafts: readonly Draft[]): ReadonlySet<string> {
    const wanted = new Map<string, Set<string>>();
    for (const draft of drafts) {
      for (const { by, to } of inputsOf(draft, undefined).uses) {
        if (by !== "FROM" || to.kind !== "image" || to.missing.length > 0) continue;
        const [path, last] = splitLast(splitRef(to.name).repository);
        wanted.set(path, (wanted.get(path) ?? new Set()).add(last));
      }
    }
    const tagged = drafts.flatMap(({ tags }) => tags.map((tag) => splitLast(splitRef(tag).repository)[0]));
    const named = [...wanted].flatMap(([path, names]) =>
      names.size > 1 && [...names].every((name) => this.byName.get(clean(name)) !== undefined) ? path : [],
    );
    return new Set([...tagged, ...named].filter((path) => isKnown(path) && !PUBLIC.test(path)));
  }

  private add(ref: Pattern, id: string): void {
    const { repository, tag = "latest" } = splitRef(ref);
    if (!isKnown(repository)) return;
    this.byRepository.set(repository, [...(this.byRepository.get(repository) ?? []), { tag, id }]);
  }

  /** The image that a bake target or compose service of a file builds. */
  ofBuild(file: string, name: string): string | undefined {
    return this.byBuild.get(`${file}\0${name}`);
  }

  /** True where a build of the tree gives images this repository's name. */
  builds(repository: Pattern): boolean {
    return this.byRepository.has(repository);
  }

  /** The image of the tree that a FROM means; undefined for one from outside. */
  ofRef(ref: Pattern, file: string): string | undefined {
    const [path, last] = splitLast(splitRef(ref).repository);
    return this.ofTag(ref, file)[0] ?? (this.own.has(path) ? this.byName.get(clean(last)) : undefined);
  }

  /** The images of the tree to which builds give this name; of several those that are nearest to the file that asks. */
  ofTag(ref: Pattern, file: string): readonly string[] {
    const { repository, tag = "latest" } = splitRef(ref);
    const made = this.byRepository.get(repository);
    if (made) {
      const ids = (entries: typeof made) => nearest([...new Set(entries.map(({ id }) => id))], file);
      const equal = ids(made.filter((entry) => entry.tag === tag));
      const possible = equal.length > 0 ? equal : ids(made.filter((entry) => mayEqual(entry.tag, tag)));
      if (possible.length > 0) return possible;
      const all = ids(made);
      return all.length === 1 ? all : [];
    }
    const [path, last] = splitLast(repository);
    // Docker Hub's own images have short names that folders have too.
    if (path === "docker.io/library/" || !isKnown(last)) return [];
    const pattern = this.patterns.find((one) => one.names.has(clean(last)) && mayEqual(one.repository, repository));
    return pattern?.names.get(clean(last)) ?? [];
  }
}

/** Paths that others' images have, whatever folders of the tree are called. */
const PUBLIC =
  /^(?:docker\.io\/library|docker\.io\/nvidia|[^/]+\/library|gcr\.io\/distroless|cgr\.dev\/chainguard|mcr\.microsoft\.com\b.*|public\.ecr\.aws\/docker\/library)\/$/;

/** Those whose folders share most with the file's. */
function nearest(ids: readonly string[], file: string): readonly string[] {
  if (ids.length < 2) return ids;
  const shared = (id: string) => {
    const [a, b] = [id.split("/"), file.split("/")];
    const end = a.findIndex((part, index) => part !== b[index]);
    return end < 0 ? a.length : end;
  };
  const most = Math.max(...ids.map(shared));
  return ids.filter((id) => shared(id) === most);
}

/** @example splitLast("ghcr.io/acme/api") // ["ghcr.io/acme/", "api"] */
function splitLast(repository: Pattern): [string, string] {
  const slash = repository.lastIndexOf("/") + 1;
  return [repository.slice(0, slash), repository.slice(slash)];
}

function links(draft: Draft, finder: Finder): Pick<AdoptedImage, "bases" | "reads"> {
  const bases = new Map<string, Link>();
  const reads = new Map<string, Link>();
  const ways = draft.builds.length > 0 ? draft.builds : [undefined];
  for (const build of ways) {
    const inputs = inputsOf(draft, build);
    const root = rootStage(draft.stage, inputs.uses);
    for (const use of inputs.uses) {
      if (use.to.kind === "stage" || mayBeStage(use.to, draft.file)) continue;
      const link: Link = {
        line: use.line,
        by: use.by,
        written: use.written,
        to: source(use.to, build, draft.id, finder),
      };
      const key = JSON.stringify([link.line, link.to]);
      if (use.by === "FROM" && use.line === root.from.line) bases.set(key, link);
      else reads.set(key, link);
    }
  }
  return { bases: [...bases.values()], reads: [...reads.values()] };
}

/** A name with an unknown part that a stage of the file has: `FROM export-${KIND}`. */
function mayBeStage(to: Reference, { stages }: Dockerfile): boolean {
  if (to.kind !== "image" || isKnown(to.name) || !/[a-z]/.test(to.name)) return false;
  return stages.some(({ name }) => name !== undefined && mayEqual(to.name, name));
}

/** What a build of an image reads, arguments put in; `*` for an argument that comes from the environment. */
export function inputsOf(draft: Pick<Draft, "file" | "target">, build: Build | undefined) {
  const args = Object.fromEntries(Object.entries(build?.args ?? {}).map(([name, value]) => [name, value ?? "*"]));
  const contexts = Object.keys(build?.contexts ?? {});
  return dockerfileInputs(draft.file, {
    args,
    contexts,
    ...(draft.target === undefined ? {} : { target: draft.target }),
  });
}

/** The stage at whose FROM the file is left. */
function rootStage(stage: Stage, uses: readonly Use[]): Stage {
  let at = stage;
  for (let next: Stage | undefined = at; next; ) {
    at = next;
    const from: Use | undefined = uses.find((use) => use.by === "FROM" && use.line === at.from.line);
    next = from?.to.kind === "stage" ? from.to.stage : undefined;
  }
  return at;
}

function source(
  to: Exclude<Reference, { kind: "stage" }>,
  build: Build | undefined,
  self: string,
  finder: Finder,
): Source {
  if (to.kind === "scratch") return { kind: "scratch" };
  if (to.kind === "context") return contextSource(to.name, build, self, finder);
  return named(to.name, to.missing, self, finder);
}

function named(ref: Pattern, missing: readonly string[], self: string, finder: Finder): Source {
  const id = missing.length === 0 ? finder.ofRef(ref, self) : undefined;
  // An image that is built from its own older tag.
  if (id === undefined || id === self) return { kind: "external", ref, missing };
  return { kind: "image", id };
}

/** `--build-context name=docker-image://ref`, bake's `target:name`, compose's `service:name`, or a folder. */
function contextSource(name: string, build: Build | undefined, self: string, finder: Finder): Source {
  const value = build?.contexts[name] ?? "";
  const image = /^docker-image:\/\/(.+)$/s.exec(value)?.[1];
  if (image !== undefined) return named(image, [], self, finder);
  const target = /^(?:target|service):(.+)$/s.exec(value)?.[1];
  // A skaffold.yaml may require what another one builds.
  const id =
    target === undefined || build === undefined
      ? undefined
      : (finder.ofBuild(build.file, target) ?? (build.by === "skaffold" ? finder.ofTag(target, self)[0] : undefined));
  return id === undefined || id === self ? { kind: "context", name } : { kind: "image", id };
}
