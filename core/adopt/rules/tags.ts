import type { Finding } from "../../finding.ts";
import type { Build, Pattern, Use } from "../facts.ts";
import type { AdoptedImage } from "../model.ts";
import { isKnown, mayEqual, shortRef, splitRef } from "../pattern.ts";
import { formatPlace, someOf } from "../places.ts";
import type { AdoptedTree } from "../tree.ts";

/** One tag given to two different images: whoever builds last wins. */
export function imagesDefinedTwice(tree: AdoptedTree): Finding[] {
  const byTag = new Map<string, { readonly image: AdoptedImage; readonly build: Build }[]>();
  for (const image of tree.images) {
    for (const build of image.builds) {
      for (const tag of build.tags) {
        if (!isKnown(tag)) continue;
        const { repository, tag: name = "latest" } = splitRef(tag);
        const full = `${repository}:${name}`;
        byTag.set(full, [...(byTag.get(full) ?? []), { image, build }]);
      }
    }
  }
  return [...byTag].flatMap(([tag, makers]): Finding[] => {
    const [first] = makers;
    const ids = [...new Set(makers.map(({ image }) => image.id))];
    if (!first || ids.length < 2) return [];
    const places = ids.map(
      (id) => `${id} (${formatPlace(makers.find(({ image }) => image.id === id)?.build ?? first.build)})`,
    );
    return [
      {
        rule: "adopt/image-defined-twice",
        severity: makers.filter(({ build }) => build.pushes).length > 1 ? "error" : "warning",
        subject: shortRef(tag),
        message: `${shortRef(tag)} is built from ${ids.length} definitions: ${someOf(places, 4)}; the last one built wins`,
        fix: "keep one of them, or give each a name of its own",
        where: { file: first.build.file, line: first.build.line },
      },
    ];
  });
}

/** Dockerfiles that hold the same text: one image kept in two places. */
export function sameDockerfiles(tree: AdoptedTree): Finding[] {
  const byText = new Map<string, string[]>();
  for (const file of tree.files) {
    const text = file.lines.filter((line) => !/^\s*(?:#|$)/.test(line)).join("\n");
    if (file.stages.length > 0) byText.set(text, [...(byText.get(text) ?? []), file.file]);
  }
  return [...byText.values()].flatMap((paths): Finding[] => {
    const [first = "", ...others] = paths.toSorted();
    if (others.length === 0) return [];
    return [
      {
        rule: "adopt/same-dockerfile",
        severity: "info",
        subject: first,
        message: `${paths.length} Dockerfiles hold the same instructions: ${someOf([first, ...others], 4)}`,
        fix: "keep one and build it with other contexts or arguments, if they are meant to stay equal",
        where: { file: first, line: 1 },
      },
    ];
  });
}

/** Tags of the tree's own images that something runs or builds from, and that nothing builds or pushes. */
export function tagsNotPushed(tree: AdoptedTree): Finding[] {
  const made = madeTags(tree);
  const uses = tree.facts.uses.filter(({ builtHere, by }) => !builtHere && by !== "workflow" && by !== "make");
  const froms = tree.images.flatMap((image) =>
    [...image.bases, ...image.reads].flatMap((link): Wanted[] => {
      const ref = link.to.kind === "image" ? fromRef(image, link.written) : undefined;
      return ref === undefined
        ? []
        : [{ ref, remote: false, subject: image.name, file: image.file.file, line: link.line }];
    }),
  );
  const wanted = [...uses.map(asWanted), ...froms];
  const seen = new Set<string>();
  return wanted.flatMap((one) => {
    const findings = judge(one, made);
    return findings.filter(() => !seen.has(`${one.file}:${one.line}`) && seen.add(`${one.file}:${one.line}`));
  });
}

interface Wanted {
  readonly ref: string;
  /** Runs where only pushed images can be had. */
  readonly remote: boolean;
  readonly subject: string;
  readonly file: string;
  readonly line: number;
}

interface Made {
  /** Tags of each repository. */
  readonly built: ReadonlyMap<string, ReadonlySet<string>>;
  readonly isPushed: (full: string) => boolean;
  /** True where a build whose repository only it knows may give the tag. */
  readonly mayBeMade: (full: string) => boolean;
}

function asWanted({ ref, by, file, line, name }: Use): Wanted {
  return {
    ref,
    remote: by === "helm" || by === "manifest",
    subject: name === undefined || name === "" ? file : name,
    file,
    line,
  };
}

function madeTags(tree: AdoptedTree): Made {
  const retags = tree.facts.retags.map(({ to }) => to);
  const all = [...tree.facts.builds.flatMap((build) => build.tags), ...retags];
  const built = new Map<string, Set<string>>();
  for (const ref of all.filter((one) => isKnown(splitRef(one).repository))) {
    const { repository, tag = "latest" } = splitRef(ref);
    const tags = built.get(repository) ?? new Set();
    built.set(repository, tags.add(tag));
  }
  const pushed = [
    ...tree.facts.builds.filter((build) => build.pushes).flatMap((build) => build.tags),
    ...tree.facts.pushes.map(({ ref }) => ref),
  ];
  const anywhere = [...all, ...pushed].filter((ref) => !isKnown(splitRef(ref).repository));
  return { built, isPushed: matcher(pushed), mayBeMade: matcher(anywhere) };
}

/** Whether a name is one of some names and patterns. */
function matcher(refs: readonly Pattern[]): (full: string) => boolean {
  const all = [...new Set(refs.map(normal))];
  const known = new Set(all.filter(isKnown));
  const patterns = all.filter((ref) => !isKnown(ref));
  return (full) => known.has(full) || patterns.some((pattern) => mayEqual(pattern, full));
}

/** The name that a FROM means, where it can be read off. */
function fromRef(image: AdoptedImage, written: string): string | undefined {
  return written.includes("$") || image.file.stages.some((stage) => stage.name === written) ? undefined : written;
}

function judge({ ref, remote, subject, file, line }: Wanted, { built, isPushed, mayBeMade }: Made): Finding[] {
  const { repository, tag = "latest", digest } = splitRef(ref);
  const tags = built.get(repository);
  if (digest !== undefined || !tags || !isKnown(ref)) return [];
  const full = `${repository}:${tag}`;
  if (mayBeMade(full)) return [];
  const where = { file, line };
  if (![...tags].some((one) => mayEqual(one, tag)) && !isPushed(full)) {
    return [
      {
        rule: "adopt/tag-not-built",
        severity: "warning",
        subject,
        message: `${shortRef(ref)} is wanted here, and nothing in this tree builds or pushes that tag; it builds ${someOf([...tags].toSorted())}`,
        fix: "name a tag that is built, or build this one",
        where,
      },
    ];
  }
  if (!remote || isPushed(full)) return [];
  return [
    {
      rule: "adopt/tag-not-pushed",
      severity: "warning",
      subject,
      message: `${shortRef(ref)} is built in this tree, and nothing in it pushes or loads it where the cluster can pull it`,
      fix: "push it from the build, or load it into the cluster",
      where,
    },
  ];
}

function normal(ref: string): string {
  const { repository, tag = "latest" } = splitRef(ref);
  return `${repository}:${tag}`;
}
