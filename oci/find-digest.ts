import type { RegistryClient } from "./client.ts";

/** Of the catalogue's images the registry has one such tag for each content. */
const BY_CONTENT = /^h-[0-9a-f]{64}$/;

/**
 * The digest that begins so, of an image of the catalogue that a registry has.
 * @param begin hex digits. @example findDigest(client, "todo-backend", "0ab1c2d3e4f50617") // "sha256:0ab1c2d3e4f50617…"
 */
export async function findDigest(
  client: Pick<RegistryClient, "listTags" | "headManifest">,
  repository: string,
  begin: string,
): Promise<string | undefined> {
  for (const tag of (await client.listTags(repository)).filter((one) => BY_CONTENT.test(one))) {
    const digest = (await client.headManifest(repository, tag))?.digest;
    if (digest?.startsWith(`sha256:${begin}`)) return digest;
  }
  return undefined;
}
