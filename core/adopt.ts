import { collectFacts, type SourceFile } from "./adopt/collect.ts";
import { Finder, findImages, resolveBuilds } from "./adopt/images.ts";
import { type FileKind, fileKind } from "./adopt/kind.ts";
import type { AdoptedImage } from "./adopt/model.ts";
import { oneArchitecture } from "./adopt/rules/architecture.ts";
import { ignoredArguments } from "./adopt/rules/arguments.ts";
import { insecureDownloads } from "./adopt/rules/downloads.ts";
import { gpuArchitectures } from "./adopt/rules/gpu.ts";
import { portsThatDisagree } from "./adopt/rules/ports.ts";
import { circles, missingDockerfiles, unreadParts } from "./adopt/rules/reading.ts";
import { secretsInImages } from "./adopt/rules/secrets.ts";
import { sizesThatDisagree } from "./adopt/rules/sizes.ts";
import { movingTags, unsetFroms } from "./adopt/rules/sources.ts";
import { imagesDefinedTwice, sameDockerfiles, tagsNotPushed } from "./adopt/rules/tags.ts";
import { rootAtTheEnd } from "./adopt/rules/user.ts";
import { sizeClaims } from "./adopt/size-claims.ts";
import type { AdoptedTree } from "./adopt/tree.ts";
import { type Dockerfile, parseDockerfile } from "./dockerfile.ts";
import { type Finding, sortFindings } from "./finding.ts";
import { MACHINES } from "./machine.ts";

export type { SourceFile } from "./adopt/collect.ts";
export { type FileKind, fileKind, SKIPPED_FOLDERS } from "./adopt/kind.ts";
export type { AdoptedImage, Link, Source } from "./adopt/model.ts";

/** What the walk over the tree brought. */
export interface AdoptInput {
  /** Name of the tree's root folder: names an image whose Dockerfile stands in the root. */
  readonly root: string;
  /** Files that {@link fileKind} knows, in any order. */
  readonly files: readonly SourceFile[];
  /** Findings about files that could not be read. */
  readonly unreadable: readonly Finding[];
  /** Machine profiles that GPU images are judged against. Default: the whole catalogue. */
  readonly machines?: readonly string[];
}

/** A foreign tree of Dockerfiles, understood as far as it can be without building anything. */
export interface Adoption {
  /** In order of their ids. */
  readonly images: readonly AdoptedImage[];
  readonly findings: readonly Finding[];
  readonly dockerfiles: number;
  readonly builds: number;
}

/**
 * Reads a tree of Dockerfiles that nobody wrote for keelson: its images, what they are built from, and what is wrong.
 * @example adopt({ root: "shop", files: [{ path: "api/Dockerfile", text: "FROM node:lts" }], unreadable: [] }).images[0]?.name // "api"
 */
export function adopt(input: AdoptInput): Adoption {
  const sorted = input.files.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const known = sorted.flatMap((file) => {
    const kind = fileKind(file.path);
    return kind === undefined ? [] : [{ ...file, kind }];
  });
  const { files, findings: notDockerfiles } = readDockerfiles(known);
  const facts = collectFacts(known);
  const builds = resolveBuilds(facts, files);
  const images = findImages(files, builds, input.root);
  const byId = new Map(images.map((image) => [image.id, image]));
  const finder = new Finder(images, builds, input.root);
  const tree: AdoptedTree = {
    files,
    facts,
    builds,
    images,
    imageOf: (ref, file) => {
      const [only, ...others] = finder.ofTag(ref, file);
      return others.length > 0 ? undefined : byId.get(only ?? "");
    },
    machines: input.machines ?? Object.keys(MACHINES),
  };
  const findings = [
    ...input.unreadable,
    ...notDockerfiles,
    ...files.flatMap((file) => refusals(file)),
    ...RULES.flatMap((rule) => rule(tree)),
    ...sizesThatDisagree(tree, sizeClaims(images, builds, known)),
  ];
  return { images, findings: sortFindings(findings), dockerfiles: files.length, builds: facts.builds.length };
}

const RULES: readonly ((tree: AdoptedTree) => Finding[])[] = [
  circles,
  gpuArchitectures,
  ignoredArguments,
  imagesDefinedTwice,
  insecureDownloads,
  missingDockerfiles,
  movingTags,
  oneArchitecture,
  portsThatDisagree,
  rootAtTheEnd,
  sameDockerfiles,
  secretsInImages,
  tagsNotPushed,
  unreadParts,
  unsetFroms,
];

/** More than anyone writes; a file made to keep a reader busy has them. */
const MAX_LINES = 10_000;
const MAX_STAGES = 500;

function readDockerfiles(known: readonly (SourceFile & { readonly kind: FileKind })[]) {
  const files: Dockerfile[] = [];
  const findings: Finding[] = [];
  for (const { path, text, kind } of known) {
    if (kind === "template") findings.push(template(path));
    if (kind !== "dockerfile") continue;
    const file = text.split("\n", MAX_LINES + 1).length > MAX_LINES ? undefined : parseDockerfile(text, path);
    if (!file || file.stages.length > MAX_STAGES) findings.push(tooLarge(path));
    else if (isTemplate(file)) findings.push(template(path));
    else files.push(file);
  }
  return { files, findings };
}

function tooLarge(path: string): Finding {
  return {
    rule: "adopt/unreadable",
    severity: "error",
    subject: path,
    message: `it has more than ${MAX_LINES} lines or ${MAX_STAGES} stages`,
    fix: "rename it, if it is no Dockerfile",
    where: { file: path },
  };
}

/** Marks of a template engine where a Dockerfile has instructions, or in the name of a base. */
const TEMPLATE = /^\s*(?:\{\{|\{%|<%|#include\b)|^\s*FROM\s.*\{\{/i;

/** A here-document may hold a template of something else: only what the builder refuses is one itself. */
function isTemplate({ lines, stages, findings }: Dockerfile): boolean {
  const suspect = findings.length > 0 || stages.some(({ from }) => from.image.includes("{{"));
  return suspect && lines.some((line) => TEMPLATE.test(line));
}

/** What the builder would refuse, once a rule: a file that is no Dockerfile breaks one in every line. */
function refusals(file: Dockerfile): Finding[] {
  const byRule = Map.groupBy(file.findings, ({ rule }) => rule);
  return [...byRule.values()].flatMap(([first, ...more]) =>
    first === undefined || more.length === 0
      ? (first ?? [])
      : { ...first, message: `${first.message} (and ${more.length} more)` },
  );
}

function template(path: string): Finding {
  return {
    rule: "adopt/template",
    severity: "info",
    subject: path,
    message: "a template of a Dockerfile: what it gives is known only once it is filled in",
    fix: "fill it in, and adopt what comes out",
    where: { file: path, line: 1 },
  };
}
