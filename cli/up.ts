import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { execa } from "execa";
import { hadolintReport } from "../config/hadolint.ts";
import { wantedLabHosts } from "../config/hosts.ts";
import { loadPlan, surroundings } from "../config/load.ts";
import { readStack } from "../config/read-stack.ts";
import type { StackConfig } from "../config/schema.ts";
import { UserError } from "../core/error.ts";
import { type Finding, formatFinding } from "../core/finding.ts";
import { loginAdvice } from "../core/host/login-advice.ts";
import type { Plan } from "../core/plan.ts";
import { formatBytes } from "../core/size.ts";
import { formatSummary, formatUrls, forwardHints, type ImageResult, nextCommands, type Urls } from "../core/summary.ts";
import { judgePlan } from "../gates/plan.ts";
import { breakStaleLocks, healAttributes, liveStackLocks, stackExists } from "../toolchain/backend.ts";
import { BUILD_BYTES, HOME_BYTES } from "../toolchain/bootstrap/room.mjs";
import { resolveBuilder } from "../toolchain/builder.ts";
import { freeBytes, requireSpace } from "../toolchain/disk.ts";
import { type Home, prepareHome, projectRoot } from "../toolchain/home.ts";
import { forgetInterrupted } from "../toolchain/interrupted.ts";
import { removeDead, removeOld } from "../toolchain/leftovers.ts";
import { breakDeadLocks, describeHolder, withLock } from "../toolchain/lock.mjs";
import { RUN_MARK, stopOrphans } from "../toolchain/orphans.ts";
import { passphraseProblem } from "../toolchain/passphrase.ts";
import { ensureRegistry, lastKnownServices } from "../toolchain/services/index.ts";
import { ensureTool, isReady } from "../toolchain/tools.ts";
import { confirm, requireTerminal } from "./confirm.ts";
import { runEngine } from "./engine.ts";
import { pulumiEnvironment } from "./env.ts";
import { runSteps, type Step } from "./steps.ts";

const PROJECT = "keelson";
/** Each checkout compiles its own modules, and the last of many is not the only one in use. */
const COMPILED_DAYS = 14;
/** Begin of the names of the engine's logs of events, below .keelson. */
const EVENTS = "events-";

interface Up {
  readonly root: string;
  readonly stack: string;
  readonly config: StackConfig;
  readonly plan: Plan;
  readonly environment: Record<string, string>;
  /** The gateway's image to run on this machine. */
  readonly gateway: string | undefined;
}

/** What of it is asked for. */
export interface UpOptions {
  readonly stack: string;
  /** Show first what would be done, and ask. */
  readonly preview: boolean;
  /** What would be asked is answered with yes. Default: false. */
  readonly yes?: boolean;
  /** Run the gateway that the stack names. */
  readonly run: boolean;
  /** Look first at what is there, so that what was changed by hand is put back. Default: false. */
  readonly refresh?: boolean;
  /** Whether it is told what people do next: where something follows by itself it is not. Default: true. */
  readonly next?: boolean;
}

/** `keelson up`: brings what the machine lacks, then `pulumi up`, then the table of what came of it. */
export function upCommand(): Command {
  return new Command("up")
    .description("set up what is missing, then build, check and push all images of a stack")
    .option("-s, --stack <name>", "stack", "dev")
    .option("--preview", "show first what would be done (pulumi's own preview), and ask", false)
    .option("-y, --yes", "with --preview: go on without asking, as it has to be where there is no terminal", false)
    .option("--refresh", "look first at all that is there, and put back what was changed by hand", false)
    .option("--no-run", "leave keelson:gateway.run alone: start no container on this machine")
    .action(async (options: UpOptions) => {
      process.exitCode = await up(options);
    });
}

/** Brings a stack up. @returns the exit code */
export async function up(options: UpOptions): Promise<number> {
  const { stack, preview, yes = false, run, refresh = false, next = true } = options;
  if (preview && !yes) requireTerminal();
  const root = projectRoot();
  const config = await readStack(root, stack);
  const loaded = await loadPlan(root, stack, config, surroundings(root));
  reportFindings(await judgePlan(loaded, config.gates, await hadolintReport(loaded, config.gates, true)));
  await requireLogins(loaded.plan, root);
  const home = prepareHome();
  await requireRoom(home, config);
  const environment = pulumiEnvironment(root);
  const problem = passphraseProblem(stack, { ...process.env, ...environment });
  if (problem !== undefined) throw problem;
  const gateway = run ? loaded.plan.gateway : undefined;
  const context: Up = { root, stack, config, plan: loaded.plan, environment, gateway };
  let broken = false;
  // One at a time in a checkout: a second run waits, then finds what the first has done.
  return withLock(
    join(root, ".keelson", "up.lock"),
    async () => {
      if (broken) await cleanUp(root, home);
      process.env[RUN_MARK] = root;
      removeEventLogs(root);
      await runSteps(context, steps(context));
      const looks = refresh || (await hasMoved(context));
      if (preview && !(await previewed(context, yes, looks))) return DECLINED;
      return runPulumi(context, looks, next);
    },
    {
      what: `keelson up of stack ${stack}`,
      inTurn: true,
      onWait: (holder) =>
        tell(
          `waiting for ${describeHolder(holder)}: one at a time in a checkout, whatever the stack, and in the order of their coming ` +
            "(another checkout, such as one of git worktree, needs not wait)",
        ),
      onBroken: (holder) => {
        broken = true;
        tell(`took away the lock of ${describeHolder(holder)}, which was killed`);
      },
    },
  );
}

/** What is missing decides how much room there must be; one who has all of it may be content with less. */
async function requireRoom(home: Home, { builder, registry }: StackConfig): Promise<void> {
  if (!(await isReady("pulumi"))) return requireSpace(home.root, HOME_BYTES, "a first `npm run up`");
  if (registry !== "embedded" || typeof builder === "object") return;
  if ((await lastKnownServices()) === undefined) return requireSpace(home.root, BUILD_BYTES, "a first build");
  const free = await freeBytes(home.root);
  if (free < BUILD_BYTES)
    tell(
      `${home.root} has ${formatBytes(free)} left: what has to be built may not fit (\`keelson prune\`, \`npm run down -- --purge\`)`,
    );
}

/** Ends and removes what a killed run left, so that this one starts from order. */
async function cleanUp(root: string, home: Home): Promise<void> {
  const stopped = await stopOrphans(root);
  if (stopped.length > 0) tell(`stopped what the killed run had left running: ${stopped.join(", ")}`);
  for (const holder of breakDeadLocks(home.locks))
    tell(`took away the lock of ${describeHolder(holder)}, which is gone`);
  const removed = await removeDead(home.tmp);
  if (removed.length > 0) tell(`removed what the killed run had left in ${home.tmp}: ${removed.join(", ")}`);
  await removeOld(home.compileCache, COMPILED_DAYS);
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Warnings are told; errors end the run before anything is started. */
export function reportFindings(findings: readonly Finding[]): void {
  const errors = findings.filter((f) => f.severity === "error");
  if (errors.length > 0)
    throw new UserError(
      `the plan can't be carried out:\n${errors.map(formatFinding).join("\n")}`,
      "nothing was started",
    );
  for (const finding of findings) console.error(formatFinding(finding));
}

function steps({ config }: Up): Step<Up>[] {
  return [
    { title: "Pulumi", run: async (_, progress) => tool("pulumi", progress) },
    { title: "buildx", run: async (_, progress) => tool("buildx", progress) },
    ...(config.imageResource === "docker-build" ? [{ title: "docker-build", run: dockerBuild }] : []),
    { title: "builder", run: prepareBuilder },
    ...(config.registry === "embedded" ? [{ title: "registry", run: startRegistry }] : []),
    ...(wantedLabHosts(config.hosts) > 0 ? [{ title: "lab", run: startLabHosts }] : []),
    ...(needsCluster(config) ? [{ title: "cluster", run: startClusters }] : []),
    { title: "stack", run: prepareStack },
  ];
}

/** What runs is left alone. */
const startLabHosts: Step<Up>["run"] = async ({ config }, progress) => {
  const { startLab } = await import("../toolchain/lab/index.ts");
  const hosts = await startLab(wantedLabHosts(config.hosts), progress);
  return hosts.map(({ name, address }) => `${name} at ${address}`).join(", ");
};

/** Clusters that an `up` starts where they don't run: Minikube's, and the lab's. */
const startClusters: Step<Up>["run"] = async ({ plan }, progress) => {
  const said: string[] = [];
  for (const { place } of plan.clusters ?? []) {
    if (place.kind === "minikube")
      said.push(`${place.profile} ${await (await import("../toolchain/minikube.ts")).ensureMinikube(place)}`);
    if (place.kind === "lab")
      said.push((await (await import("../toolchain/lab/kubernetes.ts")).ensureCluster({}, progress)).context);
  }
  return said.join(", ");
};

/** Clusters that an `up` doesn't start must be known before anything is built for them. */
async function requireLogins({ clusters = [] }: Plan, root: string): Promise<void> {
  const others = clusters.filter(({ place }) => place.kind === "context");
  if (others.length > 0) (await import("../config/cluster-login.ts")).clusterAccess(others, root);
}

/** Whether a cluster of the stack is another one than it was; says which. */
async function hasMoved({ stack, config, plan }: Up): Promise<boolean> {
  if ((plan.clusters ?? []).length === 0) return false;
  const moved = await (await import("./cluster-moved.ts")).movedClusters(stack, config.kubernetes);
  if (moved.length > 0)
    tell(
      `${moved.join(", ")}: nothing is there of what stack ${stack} brought: another cluster, or one that was made anew; all is looked at ` +
        "again, as by --refresh (what runs where it was before stays there)",
    );
  return moved.length > 0;
}

function needsCluster({ kubernetes }: StackConfig): boolean {
  return Object.values(kubernetes).some(({ minikube, lab }) => minikube !== undefined || lab !== undefined);
}

const dockerBuild: Step<Up>["run"] = async (_, progress) => tool("docker-build", progress);

async function tool(
  name: "pulumi" | "buildx" | "docker-build",
  progress: Parameters<typeof ensureTool>[1],
): Promise<string> {
  const { version, origin } = await ensureTool(name, progress);
  return `${version} (${origin})`;
}

const prepareBuilder: Step<Up>["run"] = async ({ config }, progress) => {
  const { kind, nodes, notices } = await resolveBuilder(config.builder, progress);
  for (const notice of notices) progress.say(notice);
  const platforms = nodes.map((n) => [...n.native, ...n.emulated.map((p) => `${p} (qemu)`)].join(", "));
  return `${kind}: ${platforms.join("; ")}`;
};

const startRegistry: Step<Up>["run"] = async (_, progress) => (await ensureRegistry(progress)).host;

const prepareStack: Step<Up>["run"] = async ({ root, stack, environment }, progress) => {
  const state = join(root, ".keelson", "state");
  mkdirSync(state, { recursive: true });
  const broken = breakStaleLocks(state, PROJECT, stack);
  healAttributes(state, PROJECT, stack);
  for (const lock of broken) progress.say(`took away the lock of process ${lock.pid}, which is gone`);
  const [held] = liveStackLocks(state, PROJECT, stack);
  if (held !== undefined)
    throw new UserError(
      `another run (process ${held.pid} on ${held.hostname}) works on stack ${stack}`,
      "wait until it is done, then run this again",
    );
  const { forgotten, open } = await forgetInterrupted(state, PROJECT, stack, { cwd: root, env: environment });
  if (forgotten.length > 0)
    progress.say(`cut off by a killed run, found again by what is there: ${forgotten.map((o) => o.name).join(", ")}`);
  if (open.length > 0)
    progress.say(`cut off by a killed run, to be looked at with pulumi refresh: ${open.map((o) => o.name).join(", ")}`);
  if (stackExists(state, PROJECT, stack)) return `${stack} is there`;
  const init = ["stack", "init", stack, "--non-interactive"];
  const { exitCode, stderr } = await execa("pulumi", init, { cwd: root, env: environment, reject: false });
  if (exitCode === 0) return `${stack} made`;
  if (stderr.includes("already exists")) return `${stack} is there`; // in a backend that is not this checkout's
  throw new UserError(
    `pulumi can't make stack ${stack}: ${stderr.trim()}`,
    "correct what it names, then run this again",
  );
};

function hasHosts({ hosts }: StackConfig): boolean {
  return Object.keys(hosts).length > 0;
}

/** What an `up` ends with that its user did not want when it was previewed. */
const DECLINED = 1;

/** Shows what would be done. @returns whether to do it */
async function previewed({ root, stack, config, environment }: Up, yes: boolean, refresh: boolean): Promise<boolean> {
  const args = ["preview", "--stack", stack, "--suppress-outputs", "--suppress-progress"];
  if (refresh) args.push("--refresh");
  const { exitCode, stopped } = await runEngine(args, { cwd: root, env: environment });
  if (exitCode !== 0) {
    console.error(
      `\nstack ${stack}: ${stopped ? "stopped" : "the first error above says why it would fail"}; nothing was done`,
    );
    return false;
  }
  if (refresh && hasHosts(config)) {
    const drift = await (await import("./host-refresh.ts")).hostDrift(stack, config.hosts);
    for (const line of drift) tell(`drift of ${line}`);
  }
  if (yes || (await confirm(`Bring stack ${stack} to that?`))) return true;
  console.error("nothing was done");
  return false;
}

async function runPulumi(context: Up, refresh: boolean, next: boolean): Promise<number> {
  const { root, stack, config, environment } = context;
  const log = join(root, ".keelson", `${EVENTS}${randomUUID()}.json`);
  const args = ["up", "--yes", "--skip-preview", "--stack", stack, "--suppress-outputs", "--suppress-progress"];
  args.push("--event-log", log);
  if (refresh) args.push("--refresh");
  // PULUMI_DEBUG_COMMANDS makes --event-log known, as the Automation API does.
  const env = { ...environment, PULUMI_DEBUG_COMMANDS: "1" };
  try {
    const { exitCode, stopped } = await runEngine(args, { cwd: root, env });
    if (exitCode !== 0) {
      // An engine that is stopped while it starts leaves its lock behind.
      breakStaleLocks(join(root, ".keelson", "state"), PROJECT, stack);
      healAttributes(join(root, ".keelson", "state"), PROJECT, stack);
      const why = "the first error above says why; run this again when it is mended";
      for (const line of hostAdvice(readLog(log), config.hosts)) console.error(`\n${line}`);
      console.error(`\nstack ${stack} is not up: ${stopped ? "stopped; run this again to go on" : why}`);
      return stopped ? 130 : exitCode;
    }
    if (refresh && hasHosts(config)) await (await import("./host-refresh.ts")).refreshHosts(stack, config.hosts);
    await summarize(context, changedImages(readFileSync(log, "utf8")), next);
    return 0;
  } finally {
    rmSync(log, { force: true });
  }
}

/** Logs of events that killed runs left; the caller holds the checkout's lock. */
function removeEventLogs(root: string): void {
  const folder = join(root, ".keelson");
  for (const name of readdirSync(folder)) if (name.startsWith(EVENTS)) rmSync(join(folder, name), { force: true });
}

async function summarize(
  { root, stack, environment, config, gateway }: Up,
  changed: ReadonlySet<string>,
  next: boolean,
): Promise<void> {
  const { stdout } = await execa("pulumi", ["stack", "output", "--json", "--stack", stack], {
    cwd: root,
    env: environment,
  });
  const outputs = JSON.parse(stdout) as {
    readonly images: Record<string, Omit<ImageResult, "name">>;
    readonly hosts?: Urls;
    readonly clusters?: Urls;
  };
  const images = Object.entries(outputs.images).map(([name, output]) => ({ name, ...output }));
  console.log(`\n${formatSummary(images, changed)}\n`);
  const urls = formatUrls(outputs.hosts ?? {}, outputs.clusters);
  if (urls !== undefined) console.log(`${urls}\n`);
  const hints = await hintsOf(outputs.clusters ?? {}, stack, config);
  if (hints.length > 0) console.log(`${hints.join("\n")}\n`);
  const running = images.find(({ name }) => name === gateway);
  if (running !== undefined) {
    const { showGateway } = await import("./gateway.ts");
    await showGateway(running, stack, config);
  }
  const runs = [outputs.hosts, outputs.clusters].some((places = {}) => Object.keys(places).length > 0);
  const names = images.map(({ name }) => name);
  const todo = next ? `. Next: ${[...nextCommands(stack, names, runs), "npm run down"].join(", ")}` : "";
  console.log(`${changed.size} of ${images.length} images changed${todo}`);
}

/** The engine's log of events, empty where it never began one. */
function readLog(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** What is read of an event. */
interface EngineEvent {
  readonly diagnosticEvent?: { readonly urn?: string; readonly severity: string; readonly message: string };
  readonly resOutputsEvent?: {
    readonly metadata: { readonly urn: string; readonly type: string; readonly op: string };
  };
}

function events(log: string): EngineEvent[] {
  return log
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as EngineEvent);
}

/** What to do about hosts that a run could not get into, a line each. @param log the engine's own log of events */
export function hostAdvice(log: string, hosts: StackConfig["hosts"]): string[] {
  const lines = new Set<string>();
  for (const { diagnosticEvent: said } of events(log)) {
    const [, resource] = /keelson:host:Host\$command:remote:Command::(.*)$/.exec(said?.urn ?? "") ?? [];
    if (said?.severity !== "error" || resource === undefined) continue;
    for (const [name, host] of Object.entries(hosts)) {
      if (!new RegExp(`^${name}-(?:setup|services|mount-.*)$`).test(resource)) continue;
      const advice = loginAdvice(name, host, said.message);
      if (advice !== undefined) lines.add(`host ${name}: ${advice}`);
    }
  }
  return [...lines];
}

/** How what the stack runs on clusters is reached from here. */
async function hintsOf(clusters: Urls, stack: string, config: StackConfig): Promise<string[]> {
  if (Object.keys(clusters).length === 0) return [];
  const { planClusters } = await import("../core/cluster-plan.ts");
  const { clusterAccess } = await import("../config/cluster-login.ts");
  const { clusters: planned } = planClusters(config.kubernetes, {}, new Map(), stack, "embedded");
  return forwardHints(clusters, clusterAccess(planned, projectRoot()));
}

/** A refresh tells of each image that it looks at; an image that left the stack is none of those that are counted. */
const UNCHANGED = ["same", "refresh", "delete"];

/** The images that this run made or changed, from the engine's own log of events. */
export function changedImages(log: string): Set<string> {
  const changed = new Set<string>();
  for (const { resOutputsEvent } of events(log)) {
    const { type, op = "same", urn } = resOutputsEvent?.metadata ?? {};
    if (type !== "keelson:index:Image" || UNCHANGED.includes(op)) continue;
    changed.add(urn?.split("::").at(-1) ?? "");
  }
  return changed;
}
