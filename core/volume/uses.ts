import type { Finding } from "../finding.ts";
import { hint } from "../lineage.ts";
import type { PlannedVolume } from "./volume.ts";

/** What of a workload names volumes of the stack. */
export interface VolumeUser {
  /** Whose settings for the tool loader it gets. */
  readonly volume?: string | undefined;
  readonly volumes?: readonly { readonly volume?: string | undefined }[] | undefined;
}

/** The place of a mounted volume on a host; its parent is root's alone. @example mountPoint("keelson", "tools") // "/srv/keelson/keelson/tools" */
export function mountPoint(app: string, volume: string): string {
  return `/srv/keelson/${app}/${volume}`;
}

/** What is wrong with the volume that `keelson:wheelhouse` names; every backend will do, for keelson alone reads it. */
export function wheelhouseFindings(name: string, volumes: readonly PlannedVolume[]): Finding[] {
  const known = volumes.map((volume) => volume.name);
  return known.includes(name) ? [] : [unknownVolume("keelson:wheelhouse.volume", name, known)];
}

function unknownVolume(subject: string, name: string, known: readonly string[]): Finding {
  return {
    rule: "volume/unknown",
    severity: "error",
    subject,
    message: `"${name}" is no volume of keelson:volumes`,
    fix: `write one of: ${known.toSorted().join(", ") || "(there is none)"}${hint(name, known)}`,
  };
}

/** Volumes that there are none of, and those that a host or a cluster does not reach. */
export function volumeUseFindings(
  workloads: Readonly<Record<string, VolumeUser>>,
  volumes: readonly PlannedVolume[],
): Finding[] {
  const known = volumes.map(({ name }) => name);
  return Object.entries(workloads).flatMap(([workload, { volume, volumes: mounted = [] }]) =>
    [
      ...(volume === undefined ? [] : [{ key: "volume", name: volume }]),
      ...mounted.flatMap((one, i) =>
        one.volume === undefined ? [] : [{ key: `volumes[${i}].volume`, name: one.volume }],
      ),
    ].flatMap(({ key, name }): Finding[] => {
      const found = volumes.find((one) => one.name === name);
      const subject = `keelson:workloads.${workload}.${key}`;
      if (found === undefined) return [unknownVolume(subject, name, known)];
      if (found.backend !== "embedded") return [];
      const message = `expected a volume that other machines reach, found ${name} with backend embedded, which listens on this one alone`;
      return [{ rule: "volume/out-of-reach", severity: "error", subject, message, fix: "give it backend r2 or s3" }];
    }),
  );
}
