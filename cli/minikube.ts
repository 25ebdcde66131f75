import { rm } from "node:fs/promises";
import { Command } from "commander";
import { UserError } from "../core/error.ts";
import { repositoryOf } from "../core/reference.ts";
import { imageArchive } from "../oci/archive.ts";
import { findDigest } from "../oci/find-digest.ts";
import { readPlatforms } from "../oci/platforms.ts";
import { prepareHome } from "../toolchain/home.ts";
import { scratch } from "../toolchain/leftovers.ts";
import { loadIntoMinikube, removeFromMinikube } from "../toolchain/minikube.ts";
import { nativePlatform } from "../toolchain/platform.ts";
import { findTargets, openStack, type Target } from "./targets.ts";

/** `keelson minikube load|remove`: single images of a Minikube's node, as stacks that run on one do it. */
export function minikubeCommand(): Command {
  const command = new Command("minikube").description(
    "images of a Minikube's node: load what it lacks, remove what nothing runs",
  );
  command
    .command("load")
    .description("load an image from a registry where the node lacks its digest, and check that it has it")
    .argument("<image>", "name in the catalogue, or a whole reference")
    .requiredOption("--as <name:tag>", "what the node shall know it as")
    .option("-p, --profile <profile>", "Minikube's", "minikube")
    .option("-s, --stack <name>", "stack whose registry has it", "dev")
    .action(async (image: string, options: { as: string; profile: string; stack: string }) => {
      const [target] = await findTargets(() => openStack(options.stack), [image]);
      if (target === undefined) throw new Error("a name gives a target");
      console.log(await loadTarget(target, options.as, options.profile));
    });
  command
    .command("remove")
    .description("remove images that no pod uses")
    .argument("<name:tag...>", "as the node knows them")
    .option("-p, --profile <profile>", "Minikube's", "minikube")
    .action(async (names: string[], options: { profile: string }) => {
      const removed = await removeFromMinikube(options.profile, names);
      console.log(removed.length === 0 ? "nothing to remove" : `removed ${removed.join(", ")}`);
    });
  return command;
}

/**
 * Loads an image that a node had once, as the stack's registry has it still.
 * @param name as components/kubernetes/minikube-image.ts names it. @example "todo-backend:sha256-0ab1c2d3e4f50617"
 * @returns a line on what was done; undefined where the registry has it no more
 */
export async function loadAgain(stack: string, name: string, profile: string): Promise<string | undefined> {
  const [, image = "", begin = ""] = /^([^:]+):sha256-([0-9a-f]+)$/.exec(name) ?? [];
  const { client, prefix } = await openStack(stack);
  const repository = repositoryOf(prefix, image);
  const reference = await findDigest(client, repository, begin);
  return reference === undefined
    ? undefined
    : loadTarget({ name: image, client, repository, reference }, name, profile);
}

/** Loads one image's platform of this machine's kind. @returns a line on what was done */
export async function loadTarget(target: Target, name: string, profile: string): Promise<string> {
  const { client, repository, reference } = target;
  const platform = nativePlatform() ?? "linux/amd64";
  const images = await readPlatforms(client, repository, reference);
  const image = images.find((found) => found.platform === platform);
  if (image === undefined)
    throw new UserError(
      `${target.name} is not there for ${platform}, which Minikube's node runs`,
      `build it for ${platform}: keelson:platforms`,
    );
  const digests = [image.manifest.config.digest, image.descriptor.digest];
  const archive = () => imageArchive({ client, repository, image, name });
  const { tmp, locks } = prepareHome();
  const folder = await scratch(tmp, "minikube");
  try {
    const done = await loadIntoMinikube(profile, { name, digests, archive }, { folder, locks });
    return `${name} ${done === "there" ? "is in" : "loaded into"} ${profile} (${platform}, ${image.descriptor.digest})`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
