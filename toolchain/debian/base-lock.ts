import type { Artifact, ArtifactLock } from "../../core/artifact.ts";
import { sortArtifacts } from "../../core/artifact-changes.ts";
import type { Bootstrap } from "../../core/base.ts";
import type { Platform } from "../../core/platform.ts";
import { resolvePackages } from "./resolve.ts";

/** Resolves a base's packages anew, for all its platforms, from the machine's mirror. */
export async function lockBasePackages(
  bootstrap: Bootstrap,
  platforms: readonly Platform[],
  tmp: string,
): Promise<ArtifactLock> {
  const { suite, select } = bootstrap;
  const resolved = await Promise.all(platforms.map((platform) => resolvePackages({ platform, suite, select }, tmp)));
  return {
    snapshot: newest(resolved.map((r) => r.snapshot)),
    artifacts: shareCommon(
      resolved.flatMap((r) => r.artifacts),
      platforms,
    ),
  };
}

/** The later of times written `YYYYMMDDTHHMMSSZ`. */
export function newest(snapshots: readonly string[]): string {
  return snapshots.toSorted().at(-1) ?? "";
}

/** Artifacts that every platform has alike (packages for all architectures) become one without a platform. */
export function shareCommon(artifacts: readonly Artifact[], platforms: readonly Platform[]): Artifact[] {
  const byBytes = Map.groupBy(artifacts, (a) => `${a.file}\n${a.integrity}`);
  const shared = [...byBytes.values()].flatMap((same) => {
    const first = same[0];
    if (first === undefined || new Set(same.map((a) => a.platform)).size < platforms.length) return same;
    const { platform: _, ...common } = first;
    return [common];
  });
  return sortArtifacts(shared);
}
