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
  readonly bootstrap?: Bootstrap;
}

/** A Debian base from its packages: the same bytes from the same lock, on any machine and any day. */
export interface Bootstrap {
  /** Release that the packages are of. @example "bookworm" */
  readonly suite: string;
  /** What `keelson bases update` asks apt for, in apt's notation; the packages are these and what they need. */
  readonly select: readonly string[];
  /** Paths that dpkg leaves out, now and when images install more (dpkg's `path-exclude`), and exceptions from them. */
  readonly excludes: readonly string[];
  readonly includes: readonly string[];
  /** Its `snapshot` is the image's time of creation. */
  readonly packages: ArtifactLock;
}

/** Raised when the same lock makes other bytes than before. */
export const BOOTSTRAP_RECIPE = 2;

/** The content of `images/bases.lock.json`. */
export interface BasesLock {
  readonly bases: readonly LockedBase[];
}
