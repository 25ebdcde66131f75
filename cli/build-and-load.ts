import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { bottom, lacksOpenssl } from "../config/prisma.ts";
import { readStack } from "../config/read-stack.ts";
import { isSalted } from "../config/stack-file.ts";
import type { PlannedMinikube } from "../core/cluster-plan.ts";
import { buildsByDockerAlone } from "../core/docker-alone.ts";
import { UserError } from "../core/error.ts";
import type { Plan } from "../core/plan.ts";
import { prismaProjects } from "../core/prisma/project.ts";
import { projectRoot } from "../toolchain/home.ts";
import { ensureMinikube } from "../toolchain/minikube.ts";
import { passphraseFile, passphrasePath, passphraseProblem } from "../toolchain/passphrase.ts";
import { readPrismaFiles } from "../toolchain/prisma-tree.ts";
import { fixProject } from "./fix.ts";
import { loadTarget } from "./minikube.ts";
import { findTargets, openStack } from "./targets.ts";
import { up } from "./up.ts";

/** `keelson build-and-load`: 002's build script in one command. */
export function buildAndLoadCommand(run: (stack: string, docker: boolean) => Promise<number> = buildAndLoad): Command {
  return new Command("build-and-load")
    .description(
      "check and mend Prisma schemas, build and check a stack's images, start Minikube, load what its node lacks",
    )
    .option("-s, --stack <name>", "stack with a Minikube in keelson:kubernetes", "todo")
    .option("--docker", "build by Docker alone and start nothing of keelson's own, as on macOS and Windows", false)
    .action(async ({ stack, docker }: { stack: string; docker: boolean }) => {
      const code = await run(stack, docker);
      // A schema that could not be mended has set one already.
      if (code !== 0) process.exitCode = code;
    });
}

async function buildAndLoad(stack: string, asked: boolean): Promise<number> {
  const root = projectRoot();
  const config = await readStack(root, stack);
  const { images } = config;
  if (buildsByDockerAlone({ os: process.platform, asked, builder: config.builder, bases: config.bases })) {
    const { buildByDockerAlone } = await import("./docker-alone.ts");
    await buildByDockerAlone({ root, stack, config }, (plan) => mendSchemas(root, plan));
    if (Object.values(config.kubernetes).some(({ minikube }) => minikube !== undefined)) console.log(NEXT);
    return 0;
  }
  const { plan } = await openStack(stack);
  const profiles = profilesOf(plan);
  if (profiles.length === 0)
    throw new UserError(
      `stack ${stack} has no Minikube`,
      `add one to keelson:kubernetes in Pulumi.${stack}.yaml: { minikube: { minikube: {} } }`,
    );
  await givePassphrase(root, stack);
  await mendSchemas(root, plan);
  for (const profile of profiles) {
    console.log(`Minikube's profile ${profile.profile}: ${await ensureMinikube(profile)}`);
  }
  const code = await up({ stack, preview: false, run: false, next: false });
  if (code !== 0) return code;
  for (const { profile } of profiles)
    for (const target of await findTargets(() => openStack(stack), images)) {
      const { version } = target.planned ?? {};
      console.log(await loadTarget(target, `${target.name}:${version}`, profile));
    }
  console.log(NEXT);
  return 0;
}

/** 002's command, which takes the images as they are named now. */
const NEXT = "Next: helm upgrade --install evolution-todo ./helm/todo-chatbot";

/** Adds what Prisma schemas of the images' sources lack. @throws UserError for what no target mends */
export async function mendSchemas(root: string, plan: Plan): Promise<void> {
  for (const folder of sourcesOf(plan)) {
    const dir = join(root, folder);
    if (prismaProjects(readPrismaFiles(dir)).length === 0) continue;
    const [image, base] = [imageOf(plan, folder), baseOf(plan, folder)];
    const dockerfile = image && (await readFile(join(root, image.folder, "Dockerfile"), "utf8"));
    await fixProject(dir, {
      ...(base === undefined ? {} : { base }),
      ...(dockerfile === undefined ? {} : { withoutOpenssl: lacksOpenssl(dockerfile) }),
    });
  }
}

/**
 * A stack that has encrypted nothing yet, and whose user has set no passphrase, gets one of this checkout's own.
 * @throws UserError where only its user can know it
 */
async function givePassphrase(root: string, stack: string): Promise<void> {
  const folder = join(root, ".keelson");
  const isOurs = existsSync(passphrasePath(folder, stack));
  const problem = passphraseProblem(stack, process.env);
  if (problem === undefined) return;
  if (!isOurs && isSalted(root, stack)) throw problem;
  process.env.PULUMI_CONFIG_PASSPHRASE_FILE = await passphraseFile(folder, stack);
}

function profilesOf({ clusters = [] }: Plan): PlannedMinikube[] {
  return clusters.flatMap(({ place }) => (place.kind === "minikube" ? [place] : []));
}

/** Folders of the applications that images are built from. */
function sourcesOf({ images }: Plan): string[] {
  return images.flatMap(({ contexts }) =>
    Object.values(contexts).flatMap((context) => (context.kind === "source" ? [context.path] : [])),
  );
}

/** What the image is built on in the end that has the application of a folder. */
export function baseOf(plan: Plan, folder: string): string | undefined {
  const image = imageOf(plan, folder);
  return image && bottom(image, plan);
}

function imageOf({ images }: Plan, folder: string): Plan["images"][number] | undefined {
  return images.find(({ contexts }) =>
    Object.values(contexts).some((context) => context.kind === "source" && context.path === folder),
  );
}
