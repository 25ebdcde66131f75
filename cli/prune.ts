import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { execa } from "execa";
import { hashesBefore } from "../config/past-builds.ts";
import { readStack } from "../config/read-stack.ts";
import { cacheTag } from "../core/build-options.ts";
import { UserError } from "../core/error.ts";
import { histories } from "../core/host-status.ts";
import type { PlannedImage } from "../core/plan.ts";
import { platformSlug } from "../core/platform.ts";
import { decidePrune, type Keeper, type StoredManifest, type WorkloadHistory } from "../core/prune.ts";
import { hasHosts, keepersInState } from "../core/prune-keepers.ts";
import { formatTable } from "../core/table.ts";
import { hashTag } from "../core/tags.ts";
import { deleteManifests, surveyRepository } from "../oci/prune.ts";
import { prepareHome, projectRoot } from "../toolchain/home.ts";
import { pulumiEnvironment } from "../toolchain/pulumi-environment.ts";
import { collectAtNextStart } from "../toolchain/services/registry.ts";
import { ensureTool } from "../toolchain/tools.ts";
import { confirm } from "./confirm.ts";
import { openStack, type Stack } from "./targets.ts";

interface Options {
  readonly stack: string;
  readonly keep: number;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `keelson prune`: deletes images that nothing refers to any more, after listing them. */
export function pruneCommand(): Command {
  return new Command("prune")
    .description("delete images from a stack's registry that no stack's state, no release tag and no plan refers to")
    .option("-s, --stack <name>", "stack whose registry is pruned", "dev")
    .option("--keep <n>", "versions before the present one that each image keeps for a rollback", count, 2)
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
  const decision = await decide(stack, options.keep);
  if (options.json) console.log(JSON.stringify(decision, null, 2));
  else show(stack, decision);
  if (decision.drop.length === 0 || options.dryRun || (options.json && !options.yes)) return;
  if (!options.yes && !(await confirm(`delete ${decision.drop.length} from ${stack.client.host}?`)))
    return console.log("nothing deleted");
  // Minutes may have passed: what somebody tagged or brought up meanwhile stays.
  const unwanted = new Set((await decide(stack, options.keep)).drop.map(keyOf));
  const drop = decision.drop.filter((manifest) => unwanted.has(keyOf(manifest)));
  await deleteManifests(stack.client, drop);
  const embedded = stack.plan.registry === "embedded";
  if (embedded) await collectAtNextStart(prepareHome().services);
  if (options.json) return;
  const spared = decision.drop.length - drop.length;
  if (spared > 0) console.log(`kept ${spared}, which came into use meanwhile`);
  const when = embedded
    ? "at its next start: `npm run down`, then whatever needs it"
    : "when the registry collects its garbage";
  console.log(`deleted ${drop.length}; their bytes go ${when}`);
}

const keyOf = ({ repository, digest }: StoredManifest): string => `${repository}@${digest}`;

/** What the registry holds, and which of it is in use. */
async function decide(stack: Stack, versions: number): Promise<ReturnType<typeof decidePrune>> {
  const repositories = stack.plan.images.map((image) => image.repository).sort();
  const stored: StoredManifest[] = [];
  for (const repository of repositories) stored.push(...(await surveyRepository(stack.client, repository)));
  const keepers = [...keepersInPlan(stack), ...keepersInHistory(stack, versions)];
  const workloads: WorkloadHistory[] = [];
  for (const [name, state] of await stackStates()) {
    keepers.push(...keepersInState(name, repositories, state));
    if (hasHosts(state)) workloads.push(...(await workloadHistories(name, stack)));
  }
  const rollbacks = Math.max(0, ...workloads.map(({ digests }) => digests.length - 1));
  return decidePrune({ stored, keepers, workloads, rollbacks });
}

function show({ client }: Stack, { keep, drop }: ReturnType<typeof decidePrune>): void {
  const what = ({ repository, digest, tags }: StoredManifest) => [
    repository,
    `${digest.slice(0, 19)}…`,
    formatTags(tags),
  ];
  if (keep.length > 0)
    console.log(
      `kept in ${client.host}:\n${formatTable(
        ["repository", "digest", "tags", "because"],
        keep.map(({ manifest, reason }) => [...what(manifest), reason]),
      )}\n`,
    );
  if (drop.length === 0) {
    console.log("nothing to delete");
    return;
  }
  console.log(`to delete:\n${formatTable(["repository", "digest", "tags"], drop.map(what))}\n`);
  console.log("stacks of other checkouts and machines that pull from here are not known: look before you delete");
}

/** Tags that a line of the table names; `--json` has all. */
const SHOWN_TAGS = 2;

function formatTags(tags: readonly string[]): string {
  const more = tags.length - SHOWN_TAGS;
  const shown = tags.slice(0, SHOWN_TAGS).map(shorten).join(", ") || "-";
  return more > 0 ? `${shown} and ${more} more` : shown;
}

const shorten = (tag: string): string => (tag.length > 40 ? `${tag.slice(0, 14)}…${tag.slice(66)}` : tag);

/** What the next `up` would take as it is, platforms that wait for others included. */
function keepersInPlan({ plan, name }: Stack): Keeper[] {
  const reason = `stack ${name} as it stands in this checkout`;
  return plan.images.flatMap(({ repository, contentHash, builds }) => [
    ...references(contentHash, builds).map((reference) => ({ repository, reference, reason })),
    ...builds.map(({ platform }) => ({ repository, reference: cacheTag(platform), reason: "build cache" })),
  ]);
}

/** What a rollback of any workload may go back to: builds of this checkout before the one that is planned. */
function keepersInHistory({ plan }: Stack, versions: number): Keeper[] {
  return plan.images.flatMap((image) =>
    hashesBefore(projectRoot(), image)
      .slice(0, versions)
      .flatMap((hash, i) =>
        references(hash, image.builds).map((reference) => ({
          repository: image.repository,
          reference,
          reason: `built before, for a rollback (${i + 1} of ${versions})`,
        })),
      ),
  );
}

/** Tags of a content hash: the index's, and those of platforms that wait for others. */
function references(hash: string, builds: PlannedImage["builds"]): string[] {
  return ["", ...builds.map(({ platform }) => `-${platformSlug(platform)}`)].map((suffix) => hashTag(hash) + suffix);
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
