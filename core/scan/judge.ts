import { type Finding, type Severity, sortFindings } from "../finding.ts";
import { printable } from "../printable.ts";
import { isMalware, type Vulnerability } from "./advisory.ts";
import { type Held, packageKey } from "./query.ts";
import type { Rating } from "./severity.ts";

/** A stack's `keelson:scan`, but for where the database is. */
export interface ScanPolicy {
  readonly severity: Readonly<Record<Rating, Severity | "off">>;
  /** At most, for what has no fixed version: nobody can do anything about it yet. */
  readonly unfixed: Severity | "off";
  readonly ignore: readonly Ignored[];
}

/** A vulnerability that a stack lives with. */
export interface Ignored {
  /** Any of its names. @example "CVE-2024-56201" */
  readonly id: string;
  /** Only in this package, as the database names it. Default: any. @example "openssl" */
  readonly package?: string | undefined;
  /** Only in this image. Default: any. */
  readonly image?: string | undefined;
  readonly reason: string;
  /** First day on which it counts again. Default: never. @example "2027-03-01" */
  readonly until?: string | undefined;
}

/** What a policy makes of vulnerabilities. */
export interface Judged {
  /** In report order. */
  readonly findings: readonly Finding[];
  /** How many a stack ignores, by its own word. */
  readonly ignored: number;
}

const RANK: Readonly<Record<Severity | "off", number>> = { off: 0, info: 1, warning: 2, error: 3 };

/** Images that a finding names before it counts. */
const NAMED = 3;

/**
 * Findings for vulnerabilities under a stack's policy: one for each vulnerability of a package, with the images that hold it.
 * @param today decides which entries of the policy still count. @example "2026-11-22"
 */
export function judgeVulnerabilities(
  vulnerabilities: readonly Vulnerability[],
  packages: readonly Held[],
  policy: ScanPolicy,
  today: string,
): Judged {
  const holders = new Map(packages.map((held) => [packageKey(held), held.images]));
  let ignored = 0;
  const findings = vulnerabilities.flatMap((vulnerability): Finding[] => {
    const severity = severityOf(vulnerability, policy);
    if (severity === "off") return [];
    const all = holders.get(packageKey(vulnerability.package)) ?? [];
    const entries = policy.ignore.filter((entry) => covers(entry, vulnerability));
    const counts = (entry: Ignored) => entry.until === undefined || today < entry.until;
    const images = all.filter((image) => !entries.some((e) => counts(e) && (e.image ?? image) === image));
    if (images.length < all.length) ignored++;
    if (images.length === 0) return [];
    const lapsed = entries.find((entry) => !counts(entry) && images.some((image) => (entry.image ?? image) === image));
    return [finding(vulnerability, severity, images, lapsed)];
  });
  return { findings: sortFindings(findings), ignored };
}

function severityOf({ names, rating, fixed }: Vulnerability, policy: ScanPolicy): Severity | "off" {
  const severity = policy.severity[rating];
  // Malware has no fixed version, and can be done without at once.
  if (names.some(isMalware)) return severity;
  const lower = fixed.length === 0 && RANK[policy.unfixed] < RANK[severity];
  return lower ? policy.unfixed : severity;
}

function covers({ id, package: name }: Ignored, vulnerability: Vulnerability): boolean {
  return vulnerability.names.includes(id) && (name === undefined || name === vulnerability.package.name);
}

function finding(
  { package: { ecosystem, name, version }, id, rating, score, summary, fixed }: Vulnerability,
  severity: Severity,
  images: readonly string[],
  lapsed: Ignored | undefined,
): Finding {
  const more = images.length - NAMED;
  const where = images.slice(0, NAMED).join(", ") + (more > 0 ? ` and ${more} more` : "");
  const until = lapsed === undefined ? "" : `; was ignored until ${lapsed.until}: ${lapsed.reason}`;
  const rated = score === undefined ? rating : `${rating}, ${score}`;
  return {
    rule: `vulnerability/${rating}`,
    severity,
    subject: printable(`${name} ${version}`),
    message: printable(`${id} (${rated})${summary === "" ? "" : `: ${summary}`}; ${ecosystem}, in ${where}${until}`),
    fix:
      fixed.length === 0
        ? "no version has a fix yet; do without the package, or put it into keelson:scan.ignore with the reason"
        : printable(`take ${name} ${fixed.join(" or ")}, or put it into keelson:scan.ignore with the reason`),
  };
}
