import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { hadolintReport } from "../config/hadolint.ts";
import { loadPlan } from "../config/load.ts";
import { gitRevision } from "../config/revision.ts";
import type { StackConfig } from "../config/schema.ts";
import { dockerNames, requirePlatform } from "../core/docker-alone.ts";
import { UserError } from "../core/error.ts";
import type { Plan } from "../core/plan.ts";
import { formatBytes } from "../core/size.ts";
import { judgePlan } from "../gates/plan.ts";
import { layoutArchive } from "../oci/archive.ts";
import { type AloneBuild, type AloneImage, buildAlone, formatWarnings } from "../plugins/keelson/image/alone.ts";
import { machine } from "../plugins/keelson/machine.ts";
import { buildxConfigDirectory } from "../toolchain/buildx.ts";
import { requireSpace } from "../toolchain/disk.ts";
import { type DockerServer, ensureAlone, findDockerServer, loadIntoDocker } from "../toolchain/docker-alone.ts";
import { prepareHome } from "../toolchain/home.ts";
import { scratch } from "../toolchain/leftovers.ts";
import { ensureMinikube, type LoadPlaces, loadIntoMinikube } from "../toolchain/minikube.ts";
import { ensureTool } from "../toolchain/tools.ts";
import { answerSignals } from "./signals.ts";
import { runSteps, type Step } from "./steps.ts";
import { scanCache } from "./targets.ts";
import { reportFindings } from "./up.ts";

/** Bytes that a stack's images take here on their way to Docker, for a message before anything is built. */
const ROOM = 2e9;

interface Context {
  readonly images: Map<string, AloneImage>;
  builder: string;
  readonly lines: string[];
}

/**
 * Builds a stack's images by Docker alone, checks them, and loads them into Docker and the Minikubes of the stack: no service of keelson's
 * own is started, and no Pulumi. For Docker's own platform.
 * @param mend is called with the plan before it is judged: it may change what images are built from
 */
export async function buildByDockerAlone(
  { root, stack, config }: { readonly root: string; readonly stack: string; readonly config: StackConfig },
  mend: (plan: Plan) => Promise<void>,
): Promise<void> {
  const server = await findDockerServer(process.env);
  const around = { host: server.platform, revision: await gitRevision(root) };
  await mend((await loadPlan(root, stack, config, around)).plan);
  const loaded = await loadPlan(root, stack, config, around);
  reportFindings(await judgePlan(loaded, config.gates, await hadolintReport(loaded, config.gates, true)));
  const { plan } = loaded;
  requirePlatform(plan, server.platform);
  const home = prepareHome();
  await requireSpace(home.root, ROOM, "building with Docker");
  const folder = await scratch(home.tmp, "alone");
  const cancel = new AbortController();
  const restore = answerSignals((signal) => cancel.abort(new UserError(`stopped by ${signal}`, "run it again")));
  const context: Context = { images: new Map(), builder: "", lines: [] };
  const build = { root, plan, gates: config.gates, platform: server.platform, work: folder, signal: cancel.signal };
  try {
    await runSteps(context, [
      { title: "BuildKit on Docker", run: (_, progress) => prepare(context, server, config, progress) },
      ...minikubes(plan).map(
        (place): Step<Context> => ({
          title: `Minikube's profile ${place.profile}`,
          run: async () => ensureMinikube(place),
        }),
      ),
      ...buildSteps(build, context),
      { title: "load", run: (_, progress) => load(context, plan, config, { folder, locks: home.locks }, progress) },
    ]);
  } catch (error) {
    throw cancel.signal.aborted ? cancel.signal.reason : error;
  } finally {
    restore();
    await rm(folder, { recursive: true, force: true });
  }
  for (const line of context.lines) console.log(line);
}

const prepare = async (
  context: Context,
  server: DockerServer,
  { builder }: StackConfig,
  progress: Parameters<Step<Context>["run"]>[1],
): Promise<string> => {
  const image = typeof builder === "object" && "docker" in builder ? builder.docker.image : undefined;
  context.builder = await ensureAlone(server, image, progress);
  return `Docker ${server.version} at ${server.endpoint}, ${server.platform}`;
};

function buildSteps(
  build: Omit<AloneBuild, "builder" | "buildx" | "toolbox" | "scans">,
  context: Context,
): Step<Context>[] {
  const toolbox = machine(build.root);
  const scans = scanCache();
  return build.plan.images.map((image) => ({
    title: image.name,
    run: async (_, progress) => {
      const buildx = {
        path: (await ensureTool("buildx", progress)).path,
        env: { BUILDX_CONFIG: buildxConfigDirectory() },
      };
      const order = { ...build, builder: context.builder, buildx, toolbox, scans };
      const made = await buildAlone(order, image, context.images, progress);
      context.images.set(image.name, made);
      if (made.warnings.length > 0) progress.say(formatWarnings(made.warnings));
      const { compressed, unpacked } = made.sizes;
      return `${formatBytes(compressed)} compressed, ${formatBytes(unpacked)} unpacked`;
    },
  }));
}

async function load(
  { images, lines }: Context,
  plan: Plan,
  config: StackConfig,
  { folder, locks }: LoadPlaces,
  progress: Parameters<Step<Context>["run"]>[1],
): Promise<string> {
  const names = dockerNames(plan, config.images);
  for (const [image, name] of names) {
    const { layout } = images.get(image) as AloneImage;
    const digests = [layout.manifest.config.digest, layout.digest];
    const wanted = { name, digests, archive: () => layoutArchive(layout, name) };
    const about = `(${layout.digest})`;
    progress.status(`${name} into Docker`);
    lines.push(`${name} ${(await loadIntoDocker(wanted)) === "there" ? "is in" : "loaded into"} Docker ${about}`);
    for (const { profile } of minikubes(plan)) {
      progress.status(`${name} into ${profile}`);
      const own = join(folder, "minikube", image);
      await mkdir(own, { recursive: true });
      const done = await loadIntoMinikube(profile, wanted, { folder: own, locks });
      await rm(own, { recursive: true, force: true });
      lines.push(`${name} ${done === "there" ? "is in" : "loaded into"} ${profile} ${about}`);
    }
  }
  return [...names.values()].join(", ");
}

/** Minikubes of a plan. */
export function minikubes({ clusters = [] }: Plan) {
  return clusters.flatMap(({ place }) => (place.kind === "minikube" ? [place] : []));
}
