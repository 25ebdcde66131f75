import type { StoredManifest } from "../core/prune.ts";
import { isBuildTag } from "../core/tags.ts";
import type { FetchedManifest, RegistryClient } from "./client.ts";
import { UNPACKED } from "./platforms.ts";

/** The tag scheme under which referrers stand where a registry has no API for them, and that of cosign before there was one. */
const REFERRERS_TAG = /^sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?$/;

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
    found.set(digest, {
      children,
      tags: tag === undefined ? [] : [tag],
      subject: about,
      ownForm: hasOwnForm(document),
    });
    for (const child of children) await visit(child);
    if (subject !== undefined) return;
    for (const referrer of await client.referrers(repository, digest)) await visit(referrer.digest);
  };
  for (const tag of tags) {
    const about = REFERRERS_TAG.exec(tag)?.[1];
    await visit(tag, tag, about === undefined ? undefined : `sha256:${about}`);
  }
  return [...found].map(([digest, { children, tags: given, subject, ownForm }]) => ({
    repository,
    digest,
    tags: given.sort(),
    children,
    ...(subject === undefined ? {} : { subject }),
    ...(ownForm || given.some(isBuildTag) ? {} : { foreign: true as const }),
  }));
}

/** An index as keelson writes it: each platform with the bytes that its layers unpack to. */
function hasOwnForm(document: FetchedManifest["document"]): boolean {
  if (document.kind !== "index" || document.index.manifests.length === 0) return false;
  return document.index.manifests.every(({ annotations }) => annotations?.[UNPACKED] !== undefined);
}

/** Whether keelson ever pushed into a repository: any of its tags is one that a build gives. */
export async function hasBuilds(client: RegistryClient, repository: string): Promise<boolean> {
  return (await client.listTags(repository)).some(isBuildTag);
}

interface Found {
  readonly tags: string[];
  readonly children: readonly string[];
  readonly subject: string | undefined;
  readonly ownForm: boolean;
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
