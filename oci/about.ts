import type { RegistryClient } from "./client.ts";

/**
 * What artifacts that refer to an image say of it in their annotations: the commit that it was published from, say, so
 * that a commit alone changes no digest. Where two say different things, the last by digest wins.
 * @param reference tag or digest
 */
export async function annotationsAbout(
  client: RegistryClient,
  repository: string,
  reference: string,
): Promise<Record<string, string>> {
  const image = await client.headManifest(repository, reference);
  const referrers = image ? await client.referrers(repository, image.digest) : [];
  const said: Record<string, string> = {};
  for (const { digest, annotations } of referrers.toSorted((a, b) => (a.digest < b.digest ? -1 : 1))) {
    // Lists of referrers repeat the artifact's annotations; not all registries do.
    Object.assign(said, annotations ?? (await ownAnnotations(client, repository, digest)));
  }
  return said;
}

async function ownAnnotations(
  client: RegistryClient,
  repository: string,
  digest: string,
): Promise<Record<string, string> | undefined | null> {
  const document = (await client.findManifest(repository, digest))?.document;
  return document?.kind === "manifest" ? document.manifest.annotations : document?.index.annotations;
}
