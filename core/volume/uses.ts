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
      const finding = (rule: string, message: string, fix: string): Finding[] => [
        { rule: `volume/${rule}`, severity: "error", subject: `keelson:workloads.${workload}.${key}`, message, fix },
      ];
      if (found === undefined)
        return finding(
          "unknown",
          `"${name}" is no volume of keelson:volumes`,
          `write one of: ${known.toSorted().join(", ") || "(there is none)"}${hint(name, known)}`,
        );
      return found.backend === "embedded"
        ? finding(
            "out-of-reach",
            `expected a volume that other machines reach, found ${name} with backend embedded, which listens on this one alone`,
            "give it backend r2 or s3",
          )
        : [];
    }),
  );
}
