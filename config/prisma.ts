import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { ContextEntry } from "../core/context.ts";
import { parseDockerfile, type Stage } from "../core/dockerfile.ts";
import type { Finding } from "../core/finding.ts";
import type { CatalogueImage, Plan, PlannedImage } from "../core/plan.ts";
import type { Platform } from "../core/platform.ts";
import { checkPrisma, type PrismaWish } from "../core/prisma/check.ts";
import { isPrismaFile, NO_ENGINE, prismaProjects } from "../core/prisma/project.ts";
import { systemOf } from "../core/prisma/target.ts";

/**
 * What keeps the Prisma clients of a plan's images from running there, by their schemas, before anything is built.
 * @param base what paths of sources that lead out of the project are relative to
 * @param host the platform that builds
 */
export function prismaFindings(
  root: string,
  base: string,
  host: Platform,
  plan: Plan,
  catalogue: readonly CatalogueImage[],
): Finding[] {
  return plan.images.flatMap((image) => {
    const entry = catalogue.find((c) => c.definition.name === image.name);
    if (entry === undefined) return [];
    const trees = [{ path: entry.folder, entries: entry.context }, ...Object.values(entry.contexts).flatMap(treeOf)];
    return trees
      .filter(({ entries }) => entries.some((e) => e.kind === "file" && e.path.endsWith(".prisma")))
      .flatMap(({ path, entries }) => {
        const wish = wishOf(image, entry, plan, host, path);
        const files = read(placeOf(root, base, path), entries);
        return prismaProjects(files).flatMap((project) => checkPrisma(project, wish));
      });
  });
}

function treeOf(context: CatalogueImage["contexts"][string]) {
  return "entries" in context ? [{ path: context.path, entries: context.entries }] : [];
}

function placeOf(root: string, base: string, path: string): string {
  if (isAbsolute(path)) return path;
  return join(/^\.\.(?:\/|$)/.test(path) ? base : root, path);
}

function read(place: string, entries: readonly ContextEntry[]): ReadonlyMap<string, string> {
  const paths = entries.flatMap((e) => (e.kind === "file" && isPrismaFile(e.path) ? [e.path] : []));
  return new Map(paths.map((path) => [path, readFileSync(join(place, path), "utf8")]));
}

function wishOf(image: PlannedImage, entry: CatalogueImage, plan: Plan, host: Platform, folder: string): PrismaWish {
  const base = bottom(image, plan);
  const { stages } = parseDockerfile(entry.dockerfile, `${entry.folder}/Dockerfile`);
  const runs = stages.flatMap((stage) =>
    stage.instructions.flatMap((i) => (i.keyword === "RUN" ? [{ stage, text: commandOf(i.text, i.heredocs) }] : [])),
  );
  const generates = runs.find(({ text }) => /\bprisma\s+generate\b/.test(text));
  return {
    subject: image.name,
    systems: image.builds.flatMap(({ platform }) => systemOf(base, platform) ?? []),
    base,
    generates: generates === undefined ? "unknown" : runsOn(generates.stage, stages),
    host,
    folder,
    withoutEngine: runs.some(({ text }) => NO_ENGINE.test(text)),
    withoutOpenssl: lacksOpenssl(entry.dockerfile),
  };
}

/** Whether a Dockerfile puts its image together from nothing, with no word of OpenSSL. */
export function lacksOpenssl(dockerfile: string): boolean {
  const { stages } = parseDockerfile(dockerfile);
  let stage = stages.at(-1);
  while (stage !== undefined && stage.from.image !== "scratch") {
    const { index, from } = stage;
    stage = stages.find(({ name, index: other }) => other < index && name === from.image.toLowerCase());
  }
  return stage !== undefined && !/openssl|libssl/i.test(dockerfile);
}

function commandOf(text: string, heredocs: readonly { readonly content: string }[]): string {
  return [text, ...heredocs.map((h) => h.content)].join("\n");
}

/** The external base below an image. */
export function bottom(image: PlannedImage, plan: Plan): string {
  const below = plan.images.find((i) => image.base.kind === "image" && i.name === image.base.name);
  return below === undefined ? image.base.name : bottom(below, plan);
}

/** On which platform a stage runs: its own `--platform`, or that of the stage which it goes on from. */
function runsOn({ from }: Stage, stages: readonly Stage[]): PrismaWish["generates"] {
  if (from.platform !== undefined) return /BUILDPLATFORM/.test(from.platform) ? "build" : "unknown";
  const parent = stages.find((stage) => stage.name === from.image.toLowerCase());
  return parent === undefined ? "image" : runsOn(parent, stages);
}
