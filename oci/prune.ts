import type { StoredManifest } from "../core/prune.ts";
import type { RegistryClient } from "./client.ts";

/** The tag scheme under which referrers stand where a registry has no API for them. */
const REFERRERS_TAG = /^sha256-([0-9a-f]{64})$/;

/**
 * Everything in a repository that a tag leads to: images, their platforms, and what refers to them. Manifests that no tag
 * leads to can't be listed by the protocol; a registry's own garbage collection finds them.
 */
export async function surveyRepository(client: RegistryClient, repository: string): Promise<StoredManifest[]> {
  const tags = await client.listTags(repository);
  const found = new Map<string, Found>();
  const visit = async (reference: string, tag?: string, subject?: string): Promise<void> => {
    const manifest = await client.findManifest(repository, reference);
    // Gone in between: somebody else pruned.
    if (!manifest) return;
    const { digest } = manifest.descriptor;
    const known = found.get(digest);
    if (known) {
      if (tag !== undefined) known.tags.push(tag);
      return;
    }
    const { document } = manifest;
    const children = document.kind === "index" ? document.index.manifests.map((m) => m.digest) : [];
    const about = subject ?? (document.kind === "index" ? document.index.subject : document.manifest.subject)?.digest;
    found.set(digest, { children, tags: tag === undefined ? [] : [tag], subject: about });
    for (const child of children) await visit(child);
    if (subject !== undefined) return;
    for (const referrer of await client.referrers(repository, digest)) await visit(referrer.digest);
  };
  for (const tag of tags) {
    const about = REFERRERS_TAG.exec(tag)?.[1];
    await visit(tag, tag, about === undefined ? undefined : `sha256:${about}`);
  }
  return [...found].map(([digest, { children, tags: own, subject }]) => ({
    repository,
    digest,
    tags: own.sort(),
    children,
    ...(subject === undefined ? {} : { subject }),
  }));
}

interface Found {
  readonly tags: string[];
  readonly children: readonly string[];
  readonly subject: string | undefined;
}

/**
 * Deletes manifests, those with tags first, so that whoever pulls by tag meets a whole image or none. The bytes of
 * their layers go when the registry collects its garbage.
 * @throws RegistryError; what was deleted until then stays deleted
 */
export async function deleteManifests(
  client: RegistryClient,
  manifests: readonly StoredManifest[],
  onDeleted?: (manifest: StoredManifest) => void,
): Promise<void> {
  const ordered = manifests.toSorted((a, b) => Number(b.tags.length > 0) - Number(a.tags.length > 0));
  for (const manifest of ordered) {
    await client.deleteManifest(manifest.repository, manifest.digest);
    onDeleted?.(manifest);
  }
}
