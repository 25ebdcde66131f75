import type { ArtifactLock } from "./artifact.ts";
import type { Platform } from "./platform.ts";

/**
 * An external base as `images/bases.lock.json` pins it: by its registry's digest, and by the distribution packages
 * that make the same where no registry answers.
 */
export interface LockedBase {
  /** As a Dockerfile would write it. @example "debian:bookworm-slim" */
  readonly name: string;
  readonly platforms: readonly Platform[];
  /** Digest of upstream's index, `sha256:<hex>`; absent where no registry answered when the lock was written. */
  readonly digest?: string;
  /** How to make it from packages; absent where that can't be done. */
  readonly bootstrap?: { readonly suite: string; readonly packages: ArtifactLock };
}

/** The content of `images/bases.lock.json`. */
export interface BasesLock {
  readonly bases: readonly LockedBase[];
}
