import { Command } from "commander";
import { UserError } from "../core/error.ts";
import { parseReference } from "../core/reference.ts";
import { formatBytes, parseSize } from "../core/size.ts";
import { imageArchive } from "../oci/archive.ts";
import { type PlatformImage, readPlatforms } from "../oci/platforms.ts";
import { findEngine, loadImage } from "../toolchain/engine.ts";
import { findTargets, openStack, type Target } from "./targets.ts";

interface Options {
  readonly stack: string;
  readonly platform?: string;
  readonly tag?: string;
}

/** `keelson load IMAGE`: what a stack's registry has, in this machine's Docker or Podman. */
export function loadCommand(): Command {
  return new Command("load")
    .description("put one platform of a pushed image into this machine's Docker or Podman, to run it at once")
    .argument("<image>", "name in the catalogue, or a whole reference such as ghcr.io/acme/app:1")
    .option("-s, --stack <name>", "stack", "dev")
    .option("--platform <platform>", "such as linux/arm64; default: the engine's own")
    .option("--tag <name:tag>", "what the engine shall call it; default: the image's name, with the tag latest")
    .action(load);
}

async function load(name: string, options: Options): Promise<void> {
  const engine = await findEngine(process.env);
  const [target] = await findTargets(() => openStack(options.stack), [name]);
  if (target === undefined) throw new Error("a name gives a target");
  const local = localName(target, options.tag);
  const image = await platformOf(target, options.platform ?? engine.platform);
  const { client, repository } = target;
  const { digest } = image.descriptor;
  const id = await loadImage(engine, imageArchive({ client, repository, image, name: local }), {
    name: local,
    platform: image.platform,
    // Docker's own store knows an image by its config, containerd's by its manifest.
    ids: [image.manifest.config.digest, digest],
  });
  const compressed = image.manifest.layers.reduce((sum, layer) => sum + layer.size, 0);
  const bound = target.planned?.budget.compressed;
  const size = `${formatBytes(compressed)} compressed${bound === undefined ? "" : ` of ${bound}`}`;
  console.log(`${local} ${image.platform} ${digest}\n  ${size}; ${engine.endpoint} knows it as ${id.slice(0, 19)}`);
  if (bound !== undefined && compressed > parseSize(bound))
    throw new UserError(`${local} is over its budget of ${bound}`, "make it smaller, or raise the budget in image.ts");
}

async function platformOf(target: Target, wanted: string): Promise<PlatformImage> {
  const { client, repository, reference, name } = target;
  const found = await client.headManifest(repository, reference);
  if (found === undefined)
    throw new UserError(
      `${name} is not in ${client.host} as ${repository}:${reference.slice(0, 14)}`,
      "build and check it first: `npm run up`",
    );
  const images = await readPlatforms(client, repository, reference);
  const image = images.find(({ platform }) => platform === wanted);
  if (image !== undefined) return image;
  const names = images.map(({ platform }) => platform).join(", ");
  throw new UserError(`${name} is not there for ${wanted}`, `write --platform and one of: ${names || "none"}`);
}

/** Without a registry's host: what the engine has of this name comes from here, and nothing is to be pulled. */
function localName({ name, repository }: Target, tag: string | undefined): string {
  if (tag === undefined)
    return `${/[/@:]/.test(name) ? repository.slice(repository.lastIndexOf("/") + 1) : name}:latest`;
  const bad = (why: string) =>
    new UserError(`--tag ${JSON.stringify(tag)}: ${why}`, "write a name and a tag, such as weft:local");
  try {
    if (parseReference(tag).digest !== undefined) throw bad("a digest can't be given");
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw bad((error as Error).message);
  }
  return /:[^/]+$/.test(tag) ? tag : `${tag}:latest`;
}
