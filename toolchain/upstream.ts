import type { BaseChoice } from "../core/base-choices.ts";
import { UserError } from "../core/error.ts";
import { parseReference } from "../core/reference.ts";
import type { RegistryClient } from "../oci/client.ts";

/** Milliseconds without a byte after which a registry counts as one that does not answer. */
const PATIENCE = 5000;

/** Opens a client for a registry; one that gives up soon, though not for one answer that failed in passing. */
export type OpenUpstream = (host: string) => RegistryClient | Promise<RegistryClient>;

/** Most plans ask no registry: the client is loaded for those that do. */
const openUpstream: OpenUpstream = async (host) => {
  const client = await import("../oci/client.ts");
  return new client.RegistryClient({ host, env: process.env, idleTimeout: PATIENCE, backoff: [500] });
};

/**
 * The digest that a base's own registry has for it now; a reason where it gives none.
 * @example await upstreamDigest("debian:bookworm-slim") // "sha256:…"
 */
export async function upstreamDigest(
  name: string,
  open: OpenUpstream = openUpstream,
): Promise<string | { readonly reason: string }> {
  const { host, repository, tag = "latest" } = parseReference(name);
  return headDigest(host, repository, tag, open);
}

/** Of these bases, those whose digest their registry does not give: they have to be made from packages here. */
export async function basesAway(
  choices: readonly BaseChoice[],
  open: OpenUpstream = openUpstream,
): Promise<ReadonlySet<string>> {
  const found = await Promise.all(
    choices.map(async ({ name, digest }) => {
      const { host, repository } = parseReference(name);
      return { name, given: await headDigest(host, repository, digest, open) };
    }),
  );
  return new Set(found.flatMap(({ name, given }) => (typeof given === "string" ? [] : [name])));
}

async function headDigest(host: string, repository: string, reference: string, open: OpenUpstream) {
  const registry = await open(host);
  try {
    const head = await registry.headManifest(repository, reference);
    return head?.digest ?? { reason: `${host} has no ${repository}:${reference}` };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const status = "status" in error && typeof error.status === "number" ? error.status : undefined;
    return { reason: status === undefined ? `${host} does not answer` : `${host} refuses: HTTP ${status}` };
  } finally {
    registry.close();
  }
}
