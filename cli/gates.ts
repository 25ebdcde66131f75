import { Command } from "commander";
import { sizesBefore } from "../config/past-builds.ts";
import { readStack } from "../config/read-stack.ts";
import { type Finding, formatFinding } from "../core/finding.ts";
import { formatTable } from "../core/table.ts";
import { GATES } from "../gates/catalogue.ts";
import { checkImage } from "../gates/check.ts";
import { HADOLINT_DEFAULTS } from "../gates/hadolint.ts";
import { projectRoot } from "../toolchain/home.ts";
import { findTargets, openStack, scanCache, type Target } from "./targets.ts";

interface Options {
  readonly stack: string;
  readonly json?: boolean;
}

/** `keelson gates`: the list of gates, or what they find on pushed images. */
export function gatesCommand(): Command {
  return new Command("gates")
    .description("list every gate with its severity; with images, run the gates on what is pushed")
    .argument("[image...]", "names of the catalogue, or whole references such as ghcr.io/acme/app:1")
    .option("-s, --stack <name>", "stack whose settings and registry count", "dev")
    .option("--json", "as JSON")
    .action(async (names: string[], options: Options) => {
      if (names.length === 0) await list(options);
      else await check(names, options);
    });
}

async function list({ stack, json }: Options): Promise<void> {
  const { severity, allow } = (await readStack(projectRoot(), stack)).gates;
  const rules = { ...HADOLINT_DEFAULTS, ...severity };
  const of = (id: string) => (rule: string) => rule === id || rule.startsWith(`${id}/`);
  const gates = GATES.map((gate) => ({
    ...gate,
    severity: gate.fixed ? gate.severity : (severity[gate.id] ?? gate.severity),
    rules: Object.fromEntries(Object.entries(rules).filter(([rule]) => rule !== gate.id && of(gate.id)(rule))),
    allow: allow.filter(({ rule }) => of(gate.id)(rule)),
  }));
  if (json) {
    console.log(JSON.stringify(gates, null, 2));
    return;
  }
  const rows = gates.map((gate) => [
    gate.id,
    gate.on,
    gate.fixed ? `${gate.severity}, always` : gate.severity,
    gate.description,
  ]);
  console.log(formatTable(["gate", "on", "severity", "wants"], rows, process.stdout.columns));
  const own = gates.flatMap((gate) => Object.entries(gate.rules));
  if (own.length > 0) console.log(`\n${formatTable(["rule", "severity"], own)}`);
  if (allow.length > 0)
    console.log(
      `\n${formatTable(
        ["allowed", "of", "because"],
        allow.map((a) => [a.rule, a.subject, a.reason]),
      )}`,
    );
}

async function check(names: readonly string[], options: Options): Promise<void> {
  const stack = openStack(options.stack);
  const targets = await findTargets(() => stack, names);
  const { gates } = await stack;
  const findings: Finding[] = [];
  for (const target of targets)
    findings.push(...(await checkImage({ ...requestOf(target), settings: gates, cache: scanCache() })));
  if (options.json) console.log(JSON.stringify(findings, null, 2));
  else for (const finding of findings) console.log(formatFinding(finding));
  const errors = findings.filter((f) => f.severity === "error").length;
  if (!options.json)
    console.log(`${targets.length} checked: ${errors} errors, ${findings.length - errors} other findings`);
  if (errors > 0) process.exitCode = 1;
}

function requestOf({ name, client, repository, reference, planned }: Target) {
  if (!planned) return { name, client, repository, reference };
  const { budget, user, health, folder, cuda } = planned;
  const previous = sizesBefore(projectRoot(), planned);
  const definition = { budget, user, healthDefined: health !== undefined };
  return {
    name: planned.name,
    client,
    repository,
    reference,
    definition,
    file: `${folder}/image.ts`,
    previous,
    ...(cuda && { cuda }),
  };
}
