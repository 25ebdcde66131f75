import { databaseOf, type Package } from "./query.ts";
import { type Rating, ratingOfScore, ratingOfWord } from "./severity.ts";

/** A vulnerability of a package, under all its names. */
export interface Vulnerability {
  readonly package: Package;
  /** The name that people know: its CVE where it has one. */
  readonly id: string;
  /** Every name, with those of other databases; sorted. */
  readonly names: readonly string[];
  readonly rating: Rating;
  /** CVSS, where it has one. @example "9.8" */
  readonly score?: string;
  /** One line; empty where the database has none. */
  readonly summary: string;
  /** Versions with a fix, one for each line of releases; none where there is no fix. */
  readonly fixed: readonly string[];
}

/** What a scanner says of one package, as osv-scanner 2 writes it in JSON. */
export interface ScannedPackage {
  readonly package: Package;
  /** Records of one vulnerability from several databases make a group. */
  readonly groups?:
    | readonly {
        readonly ids: readonly string[];
        readonly aliases?: readonly string[] | undefined;
        readonly max_severity?: string | undefined;
        readonly experimental_analysis?:
          | Readonly<Record<string, { readonly unimportant?: boolean | undefined }>>
          | undefined;
      }[]
    | undefined;
  /** Records in the OSV schema. */
  readonly vulnerabilities?: readonly OsvRecord[] | undefined;
}

export interface OsvRecord {
  readonly id: string;
  readonly summary?: string | undefined;
  readonly details?: string | undefined;
  readonly severity?:
    | readonly { readonly type?: string | undefined; readonly score?: string | undefined }[]
    | undefined;
  readonly affected?:
    | readonly {
        readonly package?: { readonly ecosystem: string; readonly name: string } | undefined;
        readonly ranges?:
          | readonly { readonly events?: readonly { readonly fixed?: string | undefined }[] | undefined }[]
          | undefined;
      }[]
    | undefined;
  readonly database_specific?: { readonly severity?: unknown } | undefined;
}

/** One vulnerability for each group. @example vulnerabilitiesOf(answer)[0]?.id // "CVE-2024-56201" */
export function vulnerabilitiesOf({
  package: found,
  groups = [],
  vulnerabilities = [],
}: ScannedPackage): Vulnerability[] {
  return groups.map((group) => {
    const { ids, aliases = [], max_severity: score = "", experimental_analysis: analysis = {} } = group;
    const records = vulnerabilities.filter((record) => ids.includes(record.id));
    const names = [...new Set([...ids, ...aliases])].toSorted();
    const unimportant = ids.length > 0 && ids.every((id) => analysis[id]?.unimportant === true);
    return {
      package: found,
      id: names.find((name) => name.startsWith("CVE-")) ?? ids[0] ?? "",
      names,
      rating: unimportant ? "low" : rate(names, score, records),
      ...(score !== "" && { score }),
      summary: summaryOf(records),
      fixed: [...new Set(records.flatMap((record) => fixesOf(record, found)))],
    };
  });
}

/** Whether a name is that of a report of OpenSSF's on malicious packages. */
export const isMalware = (name: string): boolean => name.startsWith("MAL-");

/** By score where there is one, else by the databases' own words. Malware is never less than critical. */
function rate(names: readonly string[], score: string, records: readonly OsvRecord[]): Rating {
  if (names.some(isMalware)) return "critical";
  if (score !== "") return ratingOfScore(score);
  const words = records.flatMap(({ severity = [], database_specific: own }) => [
    ...severity.map((s) => s.score ?? ""),
    ...(typeof own?.severity === "string" ? [own.severity] : []),
  ]);
  return words.map(ratingOfWord).find((rating) => rating !== "unknown") ?? "unknown";
}

function summaryOf(records: readonly OsvRecord[]): string {
  const texts = records.map(({ summary, details }) => (summary || details || "").split("\n")[0]?.trim() ?? "");
  return texts.find((text) => text !== "") ?? "";
}

function fixesOf({ affected = [] }: OsvRecord, { ecosystem, name }: Package): string[] {
  return affected
    .filter(({ package: about }) => about?.name === name && sameEcosystem(about.ecosystem, ecosystem))
    .flatMap(({ ranges = [] }) => ranges.flatMap(({ events = [] }) => events.flatMap(({ fixed }) => fixed ?? [])));
}

/** A record for all of a distribution counts for each of its releases. */
function sameEcosystem(a: string, b: string): boolean {
  return a === b || (databaseOf(a) === databaseOf(b) && !(a.includes(":") && b.includes(":")));
}
