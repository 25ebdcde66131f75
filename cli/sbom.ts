import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { CYCLONEDX, cycloneDx } from "../core/sbom/cyclonedx.ts";
import { inventoryOf } from "../core/sbom/inventory.ts";
import type { ReadPlatform } from "../oci/analyze.ts";
import { attach } from "../oci/attach.ts";
import { nativePlatform } from "../toolchain/platform.ts";
import { keelsonVersion } from "./keelson-version.ts";
import { readTarget } from "./read-target.ts";
import { findTargets, openStack, type Target } from "./targets.ts";

interface Options {
  readonly stack: string;
  readonly platform?: string;
  readonly output?: string;
  readonly attach?: boolean;
}

/** `keelson sbom IMAGE`: the packages that are really in a pushed image. */
export function sbomCommand(): Command {
  return new Command("sbom")
    .description("the packages that are really in a pushed image, as a CycloneDX 1.6 document")
    .argument("<image>", "name in the catalogue, or a whole reference such as ghcr.io/acme/app:1")
    .option("-s, --stack <name>", "stack", "dev")
    .option("--platform <platform>", "such as linux/arm64; default: this machine's own, or the image's first")
    .option("--output <file>", "write it there instead of printing it")
    .option("--attach", "keep it in the registry beside the image, for every platform unless one is named")
    .action(sbom);
}

async function sbom(name: string, options: Options): Promise<void> {
  const [target] = await findTargets(() => openStack(options.stack), [name]);
  if (target === undefined) throw new Error("a name gives a target");
  const read = await readTarget(target, options.platform);
  if (options.attach) for (const one of read) await attachTo(target, one);
  const shown = read.find(({ source }) => source.platform === nativePlatform()) ?? read[0];
  if (shown === undefined) throw new Error("an image has a platform");
  const text = documentOf(target, shown);
  if (options.output !== undefined) {
    await writeFile(options.output, text);
    console.error(`wrote ${options.output} for ${shown.source.platform}`);
  } else if (!options.attach) process.stdout.write(text);
}

async function attachTo(target: Target, one: ReadPlatform): Promise<void> {
  const { client, repository } = target;
  const { platform, descriptor } = one.source;
  await attach(client, repository, descriptor, { type: CYCLONEDX, text: documentOf(target, one) });
  console.log(`${target.name} ${platform}: attached to ${client.host}/${repository}@${descriptor.digest}`);
}

/** Without the host of an embedded registry: its port is the machine's. */
function documentOf({ client, repository }: Target, { image }: ReadPlatform): string {
  const own = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(client.host);
  const place = own ? repository : `${client.host}/${repository}`;
  return cycloneDx(inventoryOf(image), { repository: place, version: keelsonVersion() });
}
