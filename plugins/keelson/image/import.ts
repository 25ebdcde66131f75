import { UserError } from "../../../core/error.ts";
import { isDigest, isRepository, isTag } from "../../../core/reference.ts";
import { type Call, type Found, progressOf } from "../resource.ts";
import type { Toolbox } from "../toolbox.ts";
import { sizesOf } from "./check.ts";
import { platformsOf } from "./document.ts";
import { readSizes } from "./lookup.ts";

/**
 * An image that is in a registry already, as a resource: `pulumi import keelson:index:Image NAME HOST/REPOSITORY:TAG`,
 * with `embedded` for the host of the embedded registry. What it was built from is not known: the next up compares
 * the hash tag with the plan's.
 * @throws UserError for an id of another form; undefined where the registry has no such image.
 */
export async function importImage(id: string, toolbox: Toolbox, call: Call): Promise<Found | undefined> {
  const { host, repository, reference } = parseId(id);
  const registry = await toolbox.useRegistry({ host }, progressOf(call));
  const found = await registry.client.findManifest(repository, reference);
  if (found?.document.kind !== "index") return undefined;
  const measure = async (name: string, manifest: string) =>
    sizesOf((await toolbox.readImage(registry.client, name, manifest)).image).unpacked;
  const platforms = await Promise.all(
    [...platformsOf(found.document.index)].map(async ([platform, descriptor]) => {
      const sizes = await readSizes(registry.client, repository, descriptor.digest, descriptor, measure);
      const { digest, compressed = 0, unpacked = 0 } = sizes ?? { digest: descriptor.digest };
      return { platform, digest, compressed, unpacked, outcome: "reused", seconds: 0, node: "", mode: "native" };
    }),
  );
  return {
    id: repository,
    state: {
      ref: `${registry.host}/${repository}@${found.descriptor.digest}`,
      digest: found.descriptor.digest,
      platforms,
    },
    inputs: {
      imageName: repository.split("/").at(-1),
      repository,
      registry: { host },
      contentHash: /^h-([0-9a-f]{64})$/.exec(reference)?.[1] ?? "",
      builds: platforms.map(({ platform, mode }) => ({ platform, node: "", mode })),
      tags: reference.startsWith("h-") || reference.startsWith("sha256:") ? [] : [reference],
      annotations: found.document.index.annotations ?? {},
    },
  };
}

function parseId(id: string): { readonly host: string; readonly repository: string; readonly reference: string } {
  const match = /^([A-Za-z0-9.-]+(?::\d+)?)\/([^:@]+)(?::([^@]+)|@(.+))$/.exec(id);
  const [, host = "", repository = "", tagged, pinned] = match ?? [];
  const reference = tagged ?? pinned ?? "";
  if (isRepository(repository) && (tagged === undefined ? isDigest(reference) : isTag(reference)))
    return { host, repository, reference };
  throw new UserError(
    `expected the id of an image, found ${JSON.stringify(id)}`,
    "write HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:HEX, with `embedded` as the embedded registry's host",
  );
}
