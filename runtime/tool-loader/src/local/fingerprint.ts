import { createHash } from "node:crypto";
import type { Platform } from "../platform.ts";
import type { ToolSpec } from "../spec/tool-spec.ts";

/**
 * Hex sha256 over all that decides what an installed tool is: equal fingerprint, equal tool. Priorities, estimates,
 * limits and the check are no part of it; the root and the distribution are, unless the tool is relocatable.
 * @param system the distribution that it is installed on. @example "debian-12"
 */
export function fingerprint(spec: ToolSpec, platform: Platform, root: string, system: string): string {
  return createHash("sha256")
    .update(
      JSON.stringify([
        1,
        spec.name,
        spec.version,
        platform,
        spec.installCmd,
        spec.checksum[platform] ?? null,
        spec.strip,
        spec.into ?? null,
        spec.fallbacks.map((f) => (f.version === undefined ? f.installCmd : [f.version, ...f.installCmd])),
        Object.entries(spec.files).toSorted(([a], [b]) => (a < b ? -1 : 1)),
        spec.relocatable ? null : [root, system],
      ]),
    )
    .digest("hex");
}
