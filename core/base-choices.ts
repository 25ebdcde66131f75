import type { LockedBase } from "./base.ts";
import type { CatalogueImage } from "./plan.ts";

/** A base that can be had in two ways: from its registry by digest, and from packages. */
export interface BaseChoice {
  readonly name: string;
  readonly digest: string;
}

/**
 * The bases of a lock that images use and whose registry decides where they come from. Where the lock leaves no choice, or no
 * image uses a base, nobody is to be asked.
 * @example baseChoices(lock.bases, catalogue) // [{ name: "debian:bookworm-slim", digest: "sha256:…" }]
 */
export function baseChoices(bases: readonly LockedBase[], catalogue: readonly CatalogueImage[]): BaseChoice[] {
  const under = new Set(catalogue.map(({ definition }) => definition.base));
  const taken = new Set(
    catalogue.flatMap(({ contexts }) => Object.values(contexts).flatMap((c) => (c.kind === "base" ? [c.base] : []))),
  );
  return bases.flatMap(({ name, digest, bootstrap }) => {
    const isChoice = (under.has(name) && bootstrap !== undefined) || taken.has(name);
    return digest !== undefined && isChoice ? [{ name, digest }] : [];
  });
}
