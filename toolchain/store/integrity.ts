import { createHash, type Hash } from "node:crypto";

/** Hash algorithm and hex digest of an artifact's `integrity`. */
export interface Integrity {
  readonly algorithm: "sha256" | "sha512";
  readonly hex: string;
}

/**
 * Reads an artifact's integrity: `sha256-<hex>` or `sha512-<base64>`.
 * @example parseIntegrity("sha256-e3b0…").hex // "e3b0…"
 * @throws RangeError when it is neither.
 */
export function parseIntegrity(integrity: string): Integrity {
  const hex = /^sha256-([0-9a-f]{64})$/.exec(integrity)?.[1];
  if (hex !== undefined) return { algorithm: "sha256", hex };
  const base64 = /^sha512-([A-Za-z0-9+/]{86}==)$/.exec(integrity)?.[1];
  if (base64 !== undefined) return { algorithm: "sha512", hex: Buffer.from(base64, "base64").toString("hex") };
  throw new RangeError(`expected sha256-<hex> or sha512-<base64>, found ${JSON.stringify(integrity)}`);
}

/** The text form of {@link parseIntegrity}. */
export function formatIntegrity({ algorithm, hex }: Integrity): string {
  return `${algorithm}-${algorithm === "sha256" ? hex : Buffer.from(hex, "hex").toString("base64")}`;
}

export function hasher(integrity: Integrity): Hash {
  return createHash(integrity.algorithm);
}
