import type { Finding } from "../finding.ts";
import { printable } from "../printable.ts";
import { databaseOf, type Held, type Query } from "./query.ts";

/** What a database could be asked about, and why not more. */
export interface DatabaseState {
  /** Address or folder. */
  readonly place: string;
  readonly parts: readonly {
    readonly name: string;
    /** Day on which its source last said that it is the newest. @example "2026-11-20" */
    readonly checked: string;
    /** Why the source could not be asked now. */
    readonly stale?: string | undefined;
  }[];
  /** Parts that can't be had, with the reason. */
  readonly missing: ReadonlyMap<string, string>;
}

/** The packages whose part of the database is there. */
export function coveredPackages({ packages }: Query, { missing }: Pick<DatabaseState, "missing">): Held[] {
  return packages.filter(({ ecosystem }) => !missing.has(databaseOf(ecosystem)));
}

/** What was not looked up, or not with the newest database: a scan that found nothing must not look like one that asked nobody. */
export function coverageFindings(query: Query, database: DatabaseState): Finding[] {
  return [...missingFinding(query, database), ...staleFinding(database), ...uncoveredFindings(query)];
}

const subject = "keelson:scan.database";

function missingFinding({ packages }: Query, { place, missing }: DatabaseState): Finding[] {
  const count = packages.filter(({ ecosystem }) => missing.has(databaseOf(ecosystem))).length;
  if (count === 0) return [];
  const reasons = [...new Set(missing.values())].join("; ");
  return [
    {
      rule: "scan/database",
      severity: "error",
      subject,
      message: printable(
        `${place} can't be asked about ${[...missing.keys()].join(", ")} (${reasons}): ${count} of ${packages.length} packages are not looked up`,
      ),
      fix: "let this machine reach it, or name a mirror or a folder that has ECOSYSTEM/all.zip as osv.dev exports them",
    },
  ];
}

function staleFinding({ place, parts }: DatabaseState): Finding[] {
  const stale = parts.filter((part) => part.stale !== undefined);
  if (stale.length === 0) return [];
  const names = stale.map(({ name, checked }) => `${name} of ${checked}`).join(", ");
  const reasons = [...new Set(stale.map((part) => part.stale))].join("; ");
  return [
    {
      rule: "scan/stale",
      severity: "warning",
      subject,
      message: printable(`${place} does not answer (${reasons}): looked up in what is kept here: ${names}`),
      fix: "let this machine reach it: what became known since then is not found",
    },
  ];
}

function uncoveredFindings({ uncovered }: Query): Finding[] {
  return [...uncovered].map(([image, count]) => ({
    rule: "scan/uncovered",
    severity: "warning",
    subject: image,
    message: `${count} packages are of a distribution that no database covers, or have no version: they are not looked up`,
    fix: "keep /etc/os-release in the image; for other distributions than Debian, Ubuntu and Alpine ask their own scanner",
  }));
}
