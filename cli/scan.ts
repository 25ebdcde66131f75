import { Command } from "commander";
import { readStack } from "../config/read-stack.ts";
import { type Finding, formatFinding, sortFindings } from "../core/finding.ts";
import { inventoryOf } from "../core/sbom/inventory.ts";
import { vulnerabilitiesOf } from "../core/scan/advisory.ts";
import { coverageFindings, coveredPackages } from "../core/scan/coverage.ts";
import { judgeVulnerabilities } from "../core/scan/judge.ts";
import { databaseOf, type Query, queryOf, type Scanned } from "../core/scan/query.ts";
import { projectRoot } from "../toolchain/home.ts";
import { type Database, openDatabase } from "../toolchain/scan/database.ts";
import { scanPackages } from "../toolchain/scan/osv-scanner.ts";
import { readTarget } from "./read-target.ts";
import { findTargets, openStack } from "./targets.ts";

interface Options {
  readonly stack: string;
  readonly database?: string;
  readonly json?: boolean;
}

/** `keelson scan`: known vulnerabilities of what is really in pushed images. */
export function scanCommand(): Command {
  return new Command("scan")
    .description("look what is in pushed images up in vulnerability databases, under the stack's keelson:scan")
    .argument(
      "[image...]",
      "names of the catalogue, or whole references such as ghcr.io/acme/app:1; default: all of the stack",
    )
    .option("-s, --stack <name>", "stack", "dev")
    .option("--database <place>", "address or folder of the databases, in place of keelson:scan.database")
    .option("--json", "as JSON")
    .action(scan);
}

async function scan(names: string[], options: Options): Promise<void> {
  const { scan: policy } = await readStack(projectRoot(), options.stack);
  const query = queryOf(await inventories(names, options.stack));
  const place = options.database ?? policy.database;
  const database = await openDatabase(place, databasesOf(query));
  const state = {
    place,
    missing: database.missing,
    parts: database.parts.map((part) => ({ ...part, checked: dayOf(part.checked) })),
  };
  const answers = await scanPackages(coveredPackages(query, state), database.folder);
  const judged = judgeVulnerabilities(answers.flatMap(vulnerabilitiesOf), query.packages, policy, dayOf(new Date()));
  const findings = sortFindings([...coverageFindings(query, state), ...judged.findings]);
  print(findings, judged.ignored, query, { ...state, parts: database.parts }, options);
  if (findings.some((f) => f.severity === "error")) process.exitCode = 1;
}

async function inventories(names: readonly string[], stack: string): Promise<Scanned[]> {
  const scanned: Scanned[] = [];
  for (const target of await findTargets(() => openStack(stack), names))
    for (const { image } of await readTarget(target))
      scanned.push({ image: target.name, inventory: inventoryOf(image) });
  return scanned;
}

const databasesOf = ({ packages }: Query): string[] =>
  [...new Set(packages.map(({ ecosystem }) => databaseOf(ecosystem)))].toSorted();

/** In UTC. @example "2026-11-22" */
const dayOf = (date: Date): string => date.toISOString().slice(0, 10);

function print(
  findings: readonly Finding[],
  ignored: number,
  { packages }: Query,
  { place, parts, missing }: Omit<Database, "folder"> & { readonly place: string },
  { json }: Options,
): void {
  if (json) {
    const database = { place, parts, missing: Object.fromEntries(missing) };
    console.log(JSON.stringify({ packages: packages.length, database, ignored, findings }, null, 2));
    return;
  }
  for (const finding of findings) console.log(formatFinding(finding));
  const errors = findings.filter((f) => f.severity === "error").length;
  const versions = parts.map(({ name, sha256 }) => `${name} ${sha256.slice(0, 12)}`).join(", ") || "none";
  console.log(
    `${packages.length} packages: ${errors} errors, ${findings.length - errors} other findings, ${ignored} ignored; databases: ${versions}`,
  );
}
