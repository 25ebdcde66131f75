import { createHash, type Hash } from "node:crypto";

/** `sha256:<hex>` of the bytes. @example digestOf(Buffer.from("")) // "sha256:e3b0c442…" */
export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A running hash for the algorithm that a digest names. @throws RangeError for an algorithm other than sha256, sha512. */
export function hasherFor(digest: string): Hash {
  const algorithm = digest.slice(0, digest.indexOf(":"));
  if (algorithm !== "sha256" && algorithm !== "sha512") {
    throw new RangeError(`expected a sha256 or sha512 digest, found ${JSON.stringify(digest)}`);
  }
  return createHash(algorithm);
}

/** Whether the bytes are what the digest names. */
export function matchesDigest(bytes: Uint8Array, digest: string): boolean {
  return hasherFor(digest).update(bytes).digest("hex") === digest.slice(digest.indexOf(":") + 1);
}
