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

/** Volumes that there are none of, those that a host or a cluster does not reach, and rules that the tool loader can't live with. */
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
      if (found.backend !== "embedded") return key === "volume" ? loaderRuleFindings(found) : [];
      const message = `expected a volume that other machines reach, found ${name} with backend embedded, which listens on this one alone`;
      return [{ rule: "volume/out-of-reach", severity: "error", subject, message, fix: "give it backend r2 or s3" }];
    }),
  );
}

/** What the tool loader writes again and again, and deletes: leases of those who install, and its tries whether the volume works (docs/tool-loader.md). */
const CHANGING = ["v1/leases/", "v1/probe/"];
/** What it keeps as long as a container runs that version: how old it is says nothing of it. */
const LASTING = ["v1/archives/", "v1/manifests/"];

/** Rules of a bucket that take from the tool loader what it needs, by the place where they stand. */
function loaderRuleFindings(volume: PlannedVolume): Finding[] {
  if (volume.backend !== "r2") return [];
  const expire = volume.lifecycle.filter(({ expireAfter }) => expireAfter !== undefined);
  const meets = (prefix: string, places: readonly string[]) =>
    places
      .map((place) => volume.prefix + place)
      .filter((place) => place.startsWith(prefix) || prefix.startsWith(place));
  const told = (key: string, places: readonly string[], message: string, fix: string): Finding[] =>
    places.length === 0
      ? []
      : [
          {
            rule: "volume/loader-rule",
            severity: "warning",
            subject: `keelson:volumes.${volume.name}.${key}`,
            message: `${message}: the rule is on ${places.join(" and ")}`,
            fix,
          },
        ];
  return [
    ...expire.flatMap(({ prefix }, i) =>
      told(
        `expire[${i}]`,
        meets(prefix, LASTING),
        "takes tools from the loader that are in use, which then installs them anew",
        "give it another prefix, such as v1/quarantine/: the loader itself removes old versions",
      ),
    ),
    ...volume.lock.flatMap(({ prefix }, i) =>
      told(
        `lock[${i}]`,
        meets(prefix, CHANGING),
        "keeps the loader from writing what it writes again and again",
        "give it another prefix, such as v1/archives/",
      ),
    ),
  ];
}
