import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { execa } from "execa";
import { hashesBefore, imagesBuilt } from "../config/past-builds.ts";
import { readStack } from "../config/read-stack.ts";
import { cacheTag } from "../core/build-options.ts";
import { UserError } from "../core/error.ts";
import { histories } from "../core/host-status.ts";
import { PLATFORMS, type Platform, platformSlug } from "../core/platform.ts";
import {
  decidePrune,
  type Keeper,
  type PruneDecision,
  type StoredManifest,
  type WorkloadHistory,
} from "../core/prune.ts";
import { hasClusters, hasHosts, keepersInState, repositoriesInState } from "../core/prune-keepers.ts";
import { countVersions, formatPrune } from "../core/prune-render.ts";
import { repositoriesToPrune } from "../core/prune-repositories.ts";
import { repositoryOf } from "../core/reference.ts";
import { hashTag } from "../core/tags.ts";
import { RegistryError } from "../oci/errors.ts";
import { deleteManifests, hasBuilds, surveyRepository } from "../oci/prune.ts";
import { prepareHome, projectRoot } from "../toolchain/home.ts";
import { pulumiEnvironment } from "../toolchain/pulumi-environment.ts";
import { collectAtNextStart } from "../toolchain/services/registry.ts";
import { ensureTool } from "../toolchain/tools.ts";
import { confirm } from "./confirm.ts";
import { keepersOnClusters } from "./prune-clusters.ts";
import { openStack, type Stack } from "./targets.ts";

interface Options {
  readonly stack: string;
  readonly keep: number;
  readonly repository: readonly string[];
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `keelson prune`: deletes images that nothing refers to any more, after listing them. */
export function pruneCommand(): Command {
  return new Command("prune")
    .description(
      "delete images that keelson pushed to a stack's registry and that no stack's state, no release tag and no plan refers to",
    )
    .option("-s, --stack <name>", "stack whose registry is pruned", "dev")
    .option("--keep <n>", "versions before the present one that each image keeps for a rollback", count, 2)
    .option(
      "--repository <name>",
      "look into this repository as well, may be repeated; default: those that this checkout's stacks push or pushed into",
      (name: string, all: string[]) => [...all, name],
      [],
    )
    .option("--dry-run", "list only")
    .option("-y, --yes", "don't ask")
    .option("--json", "list as JSON; deletes only with --yes")
    .action(prune);
}

function count(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError("expected a number such as 2");
  return Number(text);
}

async function prune(options: Options): Promise<void> {
  const stack = await openStack(options.stack);
  const decision = await decide(stack, options);
  if (options.json) console.log(JSON.stringify(decision, null, 2));
  else show(stack, decision);
  if (decision.drop.length === 0 || options.dryRun || (options.json && !options.yes)) return;
  if (!options.yes && !(await confirm(`delete ${amount(decision.drop)} from ${stack.client.host}?`)))
    return console.log("nothing deleted");
  // Minutes may have passed: what somebody tagged or brought up meanwhile stays.
  const unwanted = new Set((await decide(stack, options)).drop.map(keyOf));
  const drop = decision.drop.filter((manifest) => unwanted.has(keyOf(manifest)));
  await deleteManifests(stack.client, drop);
  const embedded = stack.plan.registry === "embedded";
  if (embedded) await collectAtNextStart(prepareHome().services);
  if (options.json) return;
  const spared = decision.drop.length - drop.length;
  if (spared > 0) console.log(`kept ${spared} manifests, which came into use meanwhile`);
  const when = embedded
    ? "at its next start: `npm run down`, then whatever needs it"
    : "when the registry collects its garbage";
  console.log(`deleted ${amount(drop)}; their bytes go ${when}`);
}

function amount(drop: readonly StoredManifest[]): string {
  const versions = countVersions(drop);
  return `${versions} version${versions === 1 ? "" : "s"} (${drop.length} manifests)`;
}

const keyOf = ({ repository, digest }: StoredManifest): string => `${repository}@${digest}`;

/** What is kept and what goes, and the repositories that keelson pushed into from elsewhere, which stay as they are. */
type Decision = PruneDecision & { readonly others: readonly string[] };

/** What the registry holds, and which of it is in use. */
async function decide(stack: Stack, { keep: versions, repository: named }: Options): Promise<Decision> {
  const states = await stackStates();
  const built = imagesBuilt(projectRoot());
  const planned = stack.plan.images.map((image) => image.repository);
  const inStates = states.flatMap(([, state]) => repositoriesInState(state, stack.plan.registry));
  const listed = await stack.client.listRepositories();
  const { prefix } = stack;
  const { examined, others } = repositoriesToPrune({ planned, built, inStates, named, listed, prefix });
  const stored: StoredManifest[] = [];
  for (const repository of examined) {
    const expected = planned.includes(repository) || named.includes(repository);
    const found = await surveyRepository(stack.client, repository).catch(expected ? undefined : noneIfDenied);
    if (found.length === 0 && named.includes(repository)) throw nothingIn(stack, repository);
    stored.push(...found);
  }
  const keepers = [...keepersInPlan(stack), ...keepersInHistory(stack, versions, built)];
  for (const repository of new Set(inStates))
    for (const platform of PLATFORMS)
      keepers.push({ repository, reference: cacheTag(platform), reason: "build cache" });
  const workloads: WorkloadHistory[] = [];
  for (const [name, state] of states) {
    keepers.push(...keepersInState(name, examined, state));
    if (hasClusters(state)) keepers.push(...(await keepersOnClusters(name, state, stack.client.host)));
    if (hasHosts(state)) workloads.push(...(await workloadHistories(name, stack)));
  }
  const rollbacks = Math.max(0, ...workloads.map(({ digests }) => digests.length - 1));
  const pushed: string[] = [];
  for (const repository of others)
    if (await hasBuilds(stack.client, repository).catch(() => false)) pushed.push(repository);
  return { ...decidePrune({ stored, keepers, workloads, rollbacks }), others: pushed };
}

/** Some registries refuse what is not there, so that nobody learns what is. */
function noneIfDenied(error: unknown): StoredManifest[] {
  if (error instanceof RegistryError && [401, 403, 404].includes(error.status ?? 0)) return [];
  throw error;
}

function nothingIn({ client }: Stack, repository: string): UserError {
  return new UserError(
    `${client.host} has nothing in a repository ${JSON.stringify(repository)}`,
    "name it as the registry does, with its prefix and without its host",
  );
}

function show({ client }: Stack, decision: Decision): void {
  console.log(`${formatPrune(client.host, decision)}\n`);
  if (decision.others.length > 0)
    console.log(
      `pushed by keelson, though not from this checkout, and left as they are: ${decision.others.join(", ")}\n  --repository NAME looks into one of them as well\n`,
    );
  if (decision.drop.length > 0)
    console.log("stacks of other checkouts and machines that pull from here are not known: look before you delete");
}

/** What the next `up` would take as it is, platforms that wait for others included. */
function keepersInPlan({ plan, name }: Stack): Keeper[] {
  const reason = `stack ${name} as it stands in this checkout`;
  return plan.images.flatMap(({ repository, contentHash, builds }) => [
    ...references(contentHash, PLATFORMS).map((reference) => ({ repository, reference, reason })),
    ...builds.map(({ platform }) => ({ repository, reference: cacheTag(platform), reason: "build cache" })),
  ]);
}

/** What a rollback of any workload may go back to: builds of this checkout before the one that is planned. */
function keepersInHistory({ plan, prefix }: Stack, versions: number, built: readonly string[]): Keeper[] {
  const gone = built.filter((name) => !plan.images.some((image) => image.name === name));
  const images = [...plan.images, ...gone.map((name) => ({ name, repository: repositoryOf(prefix, name) }))];
  return images.flatMap((image) =>
    hashesBefore(projectRoot(), image)
      .slice(0, versions)
      .flatMap((hash, i) =>
        references(hash, PLATFORMS).map((reference) => ({
          repository: image.repository,
          reference,
          reason: `built before, for a rollback (${i + 1} of ${versions})`,
        })),
      ),
  );
}

/** Tags of a content hash: the index's, and those of platforms that wait for others. */
function references(hash: string, platforms: readonly Platform[]): string[] {
  return ["", ...platforms.map((platform) => `-${platformSlug(platform)}`)].map((suffix) => hashTag(hash) + suffix);
}

/**
 * What each host of a stack keeps for a rollback, as it tells itself. One that can't be asked ends the run: it may run
 * anything. Of a stack without a file in this checkout nobody knows the hosts.
 */
async function workloadHistories(name: string, { client }: Stack): Promise<WorkloadHistory[]> {
  if (!existsSync(join(projectRoot(), `Pulumi.${name}.yaml`))) return [];
  const { hosts } = await readStack(projectRoot(), name);
  if (Object.keys(hosts).length === 0) return [];
  const { hostsOf } = await import("./host-session.ts");
  const { hostStatus } = await import("./status.ts");
  const asked = await Promise.all((await hostsOf(name, hosts)).map(hostStatus));
  const silent = asked.find(({ healthy, services }) => !healthy && services.length === 0);
  if (silent !== undefined)
    throw new UserError(
      `host ${silent.host} does not say what it runs: ${silent.notes.join("; ")}`,
      "bring it up, or take it out of keelson:hosts",
    );
  return asked.flatMap(({ host, services }) => histories(host, services, client.host));
}

/** The states of all stacks of this backend. One that can't be read ends the run: it may hold anything. */
async function stackStates(): Promise<[name: string, state: unknown][]> {
  const states: [string, unknown][] = [];
  for (const { name } of (await pulumi("stack", "ls", "--json")) as { name: string }[])
    states.push([name, await pulumi("stack", "export", "--stack", name)]);
  return states;
}

async function pulumi(...args: string[]): Promise<unknown> {
  const { path } = await ensureTool("pulumi");
  const { stdout, exitCode, stderr } = await execa(path, [...args, "--non-interactive"], {
    cwd: projectRoot(),
    env: pulumiEnvironment(),
    reject: false,
  });
  if (exitCode !== 0)
    throw new UserError(
      `pulumi ${args.join(" ")} failed, so nobody knows what is in use: ${stderr.trim()}`,
      "mend the stack, or remove it with `pulumi stack rm`",
    );
  return JSON.parse(stdout);
}
