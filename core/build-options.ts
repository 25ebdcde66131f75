import { type Platform, platformSlug } from "./platform.ts";

/** `keelson:cache`: what a build may reuse beside the builder's own cache. */
export type CacheSetting = "none" | "registry" | "gha";

/**
 * What an image is written as, in BuildKit's words: OCI media types, gzip layers whatever the base has, and no time of a
 * build in them, so that the same input gives the same digest.
 */
export const WRITTEN_AS = [
  "oci-mediatypes=true",
  "rewrite-timestamp=true",
  "compression=gzip",
  "force-compression=true",
].join(",");

/** {@link WRITTEN_AS}, and pushed. */
export const PUSHED_AS = `push=true,${WRITTEN_AS}`;

/** Cache import and export, each as `--cache-from` and `--cache-to` take it. */
export interface CacheOptions {
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** The tag under which a repository keeps a platform's build cache. @example cacheTag("linux/amd64") // "cache-linux-amd64" */
export function cacheTag(platform: Platform): string {
  return `cache-${platformSlug(platform)}`;
}

/**
 * The caches of one platform's build. Each platform has its own: two builds would overwrite each other's. Exports keep
 * every stage's layers (`mode=max`), and one that fails stops no build.
 * @param image.host the registry's name in references
 * @example cacheOptions("registry", { name: "web", repository: "acme/web", host: "ghcr.io" }, "linux/amd64").from
 * // ["type=registry,ref=ghcr.io/acme/web:cache-linux-amd64"]
 */
export function cacheOptions(
  cache: CacheSetting,
  image: { readonly name: string; readonly repository: string; readonly host: string },
  platform: Platform,
): CacheOptions {
  if (cache === "none") return { from: [], to: [] };
  if (cache === "gha") {
    const scope = `type=gha,scope=${image.name}-${platformSlug(platform)}`;
    return { from: [scope], to: [`${scope},mode=max,ignore-error=true`] };
  }
  const ref = `type=registry,ref=${image.host}/${image.repository}:${cacheTag(platform)}`;
  return { from: [ref], to: [`${ref},mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true`] };
}
