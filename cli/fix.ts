import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { Command, Option } from "commander";
import { lacksOpenssl } from "../config/prisma.ts";
import { dockerfileInputs, parseDockerfile } from "../core/dockerfile.ts";
import { UserError } from "../core/error.ts";
import { formatFinding } from "../core/finding.ts";
import { PLATFORMS, type Platform } from "../core/platform.ts";
import type { PrismaWish } from "../core/prisma/check.ts";
import { fixPrisma, unfixable } from "../core/prisma/edit.ts";
import { type PrismaProject, prismaProjects } from "../core/prisma/project.ts";
import { systemOf } from "../core/prisma/target.ts";
import { changePrisma } from "../toolchain/prisma-fix.ts";
import { readPrismaFiles } from "../toolchain/prisma-tree.ts";

interface Options {
  readonly base?: string;
  readonly platform: readonly Platform[];
  readonly dryRun?: boolean;
  /** As {@link PrismaWish}. Default: as its Dockerfile says. */
  readonly withoutOpenssl?: boolean;
}

/** `keelson fix`: mends what a gate finds, in files of the user's. */
export function fixCommand(): Command {
  return new Command("fix")
    .description("mend what a gate finds, with a backup of each file")
    .addCommand(prismaCommand());
}

function prismaCommand(): Command {
  return new Command("prisma")
    .description("add the engines that a project's images need to its schema.prisma, and generate its client to verify")
    .argument("[dir]", "the project", ".")
    .option("--base <image>", "what its image is built on, such as node:22-alpine; default: as its Dockerfile says")
    .addOption(
      new Option("--platform <platforms...>", "platforms of its image").choices([...PLATFORMS]).default([...PLATFORMS]),
    )
    .option("--dry-run", "say what is missing, change nothing")
    .action(fix);
}

async function fix(dir: string, options: Options): Promise<void> {
  const root = resolve(dir);
  const projects = prismaProjects(readPrismaFiles(root));
  if (projects.length === 0)
    throw new UserError(`${dir} has no schema.prisma`, "name the folder of a project that uses Prisma");
  for (const project of projects)
    await fixOne(root, project, await wishOf(root, project, options), options.dryRun === true);
}

/** What `keelson fix prisma DIR` does, for the platforms that images are built for. @param image default: as its Dockerfile says */
export async function fixProject(dir: string, image: Pick<Options, "base" | "withoutOpenssl">): Promise<void> {
  await fix(dir, { platform: PLATFORMS, ...image });
}

async function fixOne(root: string, project: PrismaProject, wish: PrismaWish, dryRun: boolean): Promise<void> {
  const wrong = unfixable(project, wish);
  if (wrong.length > 0)
    throw new UserError(
      `targets alone don't mend ${wish.subject}; nothing was changed:\n${wrong.map(formatFinding).join("\n")}`,
      "mend these first",
    );
  const { edits, added, refused, outputs } = fixPrisma(project, wish);
  for (const { file, generator, targets } of added)
    console.log(`${file}: generator ${generator} gets ${targets.join(", ")} (${wish.base})`);
  for (const { file, generator, why } of refused)
    console.log(`${file}: generator ${generator} is left as it is: ${why}`);
  if (edits.length === 0) {
    if (refused.length === 0) console.log(`${wish.subject}: nothing is missing for ${wish.base}`);
    else process.exitCode = 1;
    return;
  }
  if (dryRun) {
    process.exitCode = 1;
    return;
  }
  const place = (path: string) => (isAbsolute(path) ? path : join(root, path));
  const backups = await changePrisma({
    folder: place(project.folder),
    files: edits.map(({ file, before, after }) => ({ path: place(file), before, after })),
    outputs: outputs.map(({ folder, targets }) =>
      folder === undefined ? { targets } : { folder: place(folder), targets },
    ),
  });
  console.log(`prisma generate made the client with them; before: ${backups.join(", ")}`);
  if (refused.length > 0) process.exitCode = 1;
}

async function wishOf(
  root: string,
  project: PrismaProject,
  { base: given, platform, withoutOpenssl }: Options,
): Promise<PrismaWish> {
  const found = given === undefined ? dockerfileOf(join(root, project.folder)) : undefined;
  const bare = withoutOpenssl ?? (found !== undefined && lacksOpenssl(readFileSync(found, "utf8")));
  // What is put together from nothing has no base, unless a definition says one.
  const base =
    given ??
    (bare && found !== undefined
      ? ((await definedBase(dirname(found))) ?? "scratch")
      : await dockerfileBase(root, project.folder));
  const systems = platform.flatMap((one) => systemOf(base, one) ?? []);
  if (systems.length === 0 && !bare)
    throw new UserError(
      `which engine ${JSON.stringify(base)} needs is not known`,
      "name the public image that it comes from: --base node:22-alpine, debian:bookworm-slim, ubi9, …",
    );
  // What `native` will be depends on where the client is generated: written out, it doesn't matter.
  const place = join(root, project.folder);
  const near = relative(process.cwd(), place);
  const subject = near === "" ? "the project" : near.startsWith("..") ? place : near;
  return { subject, systems, base, generates: "unknown", host: "linux/amd64", folder: "", withoutOpenssl: bare };
}

/**
 * What the project's image is built on: in a folder of the catalogue the external base below its definition, elsewhere the image that
 * the Dockerfile's last stage comes from, through its other stages.
 * @throws UserError where nothing says it
 */
async function dockerfileBase(root: string, folder: string): Promise<string> {
  const found = dockerfileOf(join(root, folder));
  if (found === undefined)
    throw new UserError(`no Dockerfile in ${join(root, folder)} or above says what the image is built on`, SAY);
  const defined = await definedBase(dirname(found));
  if (defined !== undefined) return defined;
  const { uses, stages } = dockerfileInputs(parseDockerfile(readFileSync(found, "utf8"), found));
  let stage = stages.at(-1);
  while (stage !== undefined) {
    const { line, image } = stage.from;
    const to = uses.find((use) => use.by === "FROM" && use.line === line)?.to;
    if (to?.kind === "image" && to.missing.length === 0) return to.name;
    if (to?.kind === "image")
      throw new UserError(`${found}:${line}: nothing sets ${to.missing.join(", ")} of FROM ${image}`, SAY);
    stage = to?.kind === "stage" ? to.stage : undefined;
  }
  throw new UserError(`${found} does not say what the image is built on`, SAY);
}

const SAY = "say it: --base node:22-alpine";

/** The nearest one, in a project's folder or above, in its repository. */
function dockerfileOf(folder: string): string | undefined {
  const path = join(folder, "Dockerfile");
  if (existsSync(path)) return path;
  const above = dirname(folder);
  return above === folder || existsSync(join(folder, ".git")) ? undefined : dockerfileOf(above);
}

/** The external base of the image that images/NAME/image.ts defines; undefined where there is none, or its variants differ. */
async function definedBase(folder: string): Promise<string | undefined> {
  const images = dirname(folder);
  if (basename(images) !== "images" || !existsSync(join(folder, "image.ts"))) return undefined;
  const { readDefinitions } = await import("../config/catalogue.ts");
  const all = await readDefinitions(dirname(images));
  const below = (base: string, seen: readonly string[] = []): string => {
    const parent = all.find(({ definition }) => definition.name === base)?.definition.base;
    return parent === undefined || seen.includes(base) ? base : below(parent, [...seen, base]);
  };
  const own = all.filter((found) => found.folder === `images/${basename(folder)}`);
  const [base, ...others] = new Set(own.map(({ definition }) => below(definition.base)));
  return others.length === 0 ? base : undefined;
}
