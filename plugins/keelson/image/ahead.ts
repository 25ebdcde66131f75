import { z } from "zod";
import { hashTag } from "../../../core/tags.ts";
import { MEDIA } from "../../../oci/schemas.ts";
import { Limiter } from "../limiter.ts";
import type { OpenRegistry } from "../toolbox.ts";

/** What a program says ahead of the engine: the images that it will register. */
export const announcement = z.object({
  images: z.array(z.object({ repository: z.string(), contentHash: z.string() })).default([]),
});

export type Announced = z.infer<typeof announcement>["images"];

/** Images that are asked after at once: more connections cost more than they save. */
const AT_ONCE = 4;

/**
 * What the embedded registry was found to hold, asked ahead: the engine asks after one image after the other, and each of its
 * questions would wait for the registry. Good for one run: it is forgotten with the process.
 * @example ahead.look(registry, [{ repository: "web", contentHash: "0123…" }]); await ahead.holds("web", "sha256:…")
 */
export class Ahead {
  private readonly found = new Map<string, Promise<ReadonlySet<string>>>();

  /** Starts to ask. What fails is as if it had not been asked. */
  look(registry: Promise<OpenRegistry | undefined>, images: Announced): void {
    const limiter = new Limiter(AT_ONCE);
    for (const { repository, contentHash } of images) {
      const ask = async () => {
        const open = await registry;
        return open === undefined ? new Set<string>() : digestsOf(open, repository, contentHash);
      };
      this.found.set(
        repository,
        limiter.run(ask).catch(() => new Set<string>()),
      );
    }
  }

  /** True where the registry was seen to hold a manifest; false says nothing. */
  async holds(repository: string, digest: string): Promise<boolean> {
    return (await this.found.get(repository))?.has(digest) === true;
  }
}

/** Digests that the registry holds of an image: of its index, and of those of the index' manifests that are there. */
async function digestsOf({ client }: OpenRegistry, repository: string, contentHash: string): Promise<Set<string>> {
  const found = await client.findManifest(repository, hashTag(contentHash));
  if (found?.document.kind !== "index") return new Set();
  const manifests = found.document.index.manifests.filter(({ mediaType }) => mediaType === MEDIA.manifest);
  const heads = await Promise.all(manifests.map(({ digest }) => client.headManifest(repository, digest)));
  return new Set([found.descriptor.digest, ...heads.flatMap((head) => (head === undefined ? [] : [head.digest]))]);
}
