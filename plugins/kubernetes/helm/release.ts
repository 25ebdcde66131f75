import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { z } from "zod";
import { UserError } from "../../../core/error.ts";
import type { Readiness } from "../../../core/kubernetes/readiness.ts";
import { type Patience, releaseTroubles } from "../../../core/kubernetes/release.ts";
import { takenBackByHelm } from "../../../core/kubernetes/rollback.ts";
import type { Trouble } from "../../../core/kubernetes/trouble.ts";
import type { Value } from "../../common/wire.ts";
import type { Cluster } from "../cluster.ts";
import { annotationOf, describeObject, isObject, type KubernetesObject, textAt, valueAt } from "../object.ts";
import { waiterOf } from "../waiters.ts";
import {
  chartArguments,
  chartOf,
  installArguments,
  templateArguments,
  uninstallArguments,
  upgradeArguments,
} from "./arguments.ts";
import { releaseDrift } from "./drift.ts";
import { explainHelm, isTimeout, type ReleaseName } from "./failure.ts";
import { resourceNames } from "./manifest.ts";
import type { Helm, HelmRun } from "./program.ts";

/** A release is there, and is not what it was to be. */
export class ReleaseFailedError extends Error {
  override readonly name = "ReleaseFailedError";
  readonly expected = true;
  /** As helm has it; undefined where it is gone again. */
  readonly outputs: KubernetesObject | undefined;

  constructor(message: string, outputs: KubernetesObject | undefined) {
    super(message);
    this.outputs = outputs;
  }
}

/** `helm status` and `helm get metadata` of 3.22, as JSON. */
const statusSchema = z.object({
  name: z.string(),
  namespace: z.string(),
  version: z.number(),
  info: z.object({ status: z.string() }),
  config: z.record(z.string(), z.unknown()).nullish(),
  manifest: z.string().default(""),
});
const metadataSchema = z.object({ chart: z.string(), version: z.string(), appVersion: z.string().default("") });

/** Milliseconds that helm may take to say what it left. */
const AFTER = 30_000;
/** Milliseconds between two looks at what a release starts. */
const LOOK = 2000;

export interface ReleaseAround {
  readonly helm: Pick<Helm, "run">;
  readonly cluster: Cluster;
  readonly status: (line: string, isLast?: boolean) => void;
}

/** The chart's own version, which `>= 1.2` or nothing may stand for. @throws UserError where there is no such chart */
export async function chartVersion(
  inputs: KubernetesObject,
  helm: Pick<Helm, "run">,
  pauses: readonly number[] = PAUSES,
): Promise<string> {
  const shown = await asked(helm, ["show", "chart", ...chartArguments(inputs)], "", pauses);
  if (!shown.ok) throw explainHelm(`find chart ${chartOf(inputs).chart}`, shown.stderr, nameOf(inputs));
  const { version } = z.object({ version: z.string() }).parse(parse(shown.stdout));
  return version;
}

/** @returns what it renders to @throws UserError for a chart that does not render with its values */
export async function tryRender(inputs: KubernetesObject, helm: Helm): Promise<string> {
  const rendered = await asked(helm, templateArguments(inputs), valuesOf(inputs), PAUSES);
  if (!rendered.ok) throw explainHelm(`render chart ${chartOf(inputs).chart}`, rendered.stderr, nameOf(inputs));
  return rendered.stdout;
}

/** What helm says where a repository or registry is busy or just starts again: its client tries few of them again. */
const PASSING =
  /connection refused|connection reset|broken pipe|handshake timeout|i\/o timeout|timeout awaiting|unexpected EOF|: EOF\s*$|(?:status|code|response)[^\n]*\b(?:429|50[0234])\b|too many requests/i;
/** Milliseconds between the attempts to ask it. */
const PAUSES = [500, 1500, 3000];

/** A command that only reads, again after what passes. */
async function asked(
  helm: Pick<Helm, "run">,
  args: readonly string[],
  input: string,
  pauses: readonly number[],
): Promise<HelmRun> {
  for (const pause of pauses) {
    const run = await helm.run(args, input);
    if (run.ok || !PASSING.test(run.stderr)) return run;
    await sleep(pause);
  }
  return helm.run(args, input);
}

/** Installs a release, or brings one that is there to its inputs. @returns its outputs */
export async function applyRelease(
  how: "install" | "upgrade",
  inputs: KubernetesObject,
  around: ReleaseAround,
): Promise<KubernetesObject> {
  const { helm, cluster } = around;
  const release = nameOf(inputs);
  await cluster.reach();
  const watch = new AbortController();
  const end = new AbortController();
  const watched = inputs.skipAwait === true ? undefined : watchRelease(inputs, around, watch.signal, () => end.abort());
  const args = how === "install" ? installArguments(inputs) : upgradeArguments(inputs);
  const done = await helm
    .run(args, valuesOf(inputs), AbortSignal.any([cluster.signal, end.signal]))
    .finally(() => watch.abort());
  const { lost, reasons } = (await watched) ?? { lost: [], reasons: [] };
  const what = `${how} release ${release.namespace}/${release.name}`;
  // Also of a run that is cancelled: what there is of it has to be known.
  const outputs = await readRelease(release, helm, AbortSignal.timeout(AFTER)).catch((error: unknown) => {
    if (done.ok) throw new ReleaseFailedError(`${what}: done, and can't be read back: ${messageOf(error)}`, {});
    return undefined; // why helm failed is told below
  });
  if (done.ok && outputs !== undefined) {
    around.status(textAt(outputs, "status", "status"), true);
    return outputs;
  }
  if (cluster.signal.aborted) throw new ReleaseFailedError(`can't ${what}: cancelled`, outputs);
  const status = textAt(outputs ?? {}, "status", "status");
  if (lost.length > 0) {
    const isUndone = inputs.atomic === true && (how === "install" ? outputs === undefined : status === "deployed");
    const undone = how === "install" ? "; helm has removed it again" : "; helm has put back the version before";
    const troubles = (isUndone ? lost.map(takenBackByHelm) : lost).map((trouble) => cluster.told(trouble));
    const message = [`can't ${what}: it does not get ready${isUndone ? undone : ""}`, ...troubles].join("\n");
    // What was put back is what the state has.
    throw new ReleaseFailedError(message, isUndone ? undefined : outputs);
  }
  const { message, fix } = explainHelm(what, done.stderr, release);
  const told = isTimeout(done.stderr) ? [message, ...reasons].join("\n") : message;
  if (status !== "failed") throw new UserError(told, fix);
  throw new ReleaseFailedError(`${told}\n  fix: ${fix}`, outputs);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A release's outputs; undefined where there is none. */
export async function readRelease(
  release: ReleaseName,
  helm: Pick<Helm, "run">,
  stop?: AbortSignal,
): Promise<KubernetesObject | undefined> {
  const place = [release.name, "--namespace", release.namespace, "--output", "json"];
  const [status, metadata] = await Promise.all([
    helm.run(["status", ...place], "", stop),
    helm.run(["get", "metadata", ...place], "", stop),
  ]);
  const failed = [status, metadata].find(({ ok }) => !ok);
  if (failed !== undefined) {
    if (/release: not found/.test(failed.stderr)) return undefined;
    throw explainHelm(`read release ${release.namespace}/${release.name}`, failed.stderr, release);
  }
  const found = statusSchema.parse(JSON.parse(status.stdout));
  const chart = metadataSchema.parse(JSON.parse(metadata.stdout));
  return {
    name: found.name,
    namespace: found.namespace,
    version: chart.version,
    values: (found.config ?? {}) as Value,
    resourceNames: resourceNames(found.manifest),
    status: {
      status: found.info.status,
      name: found.name,
      namespace: found.namespace,
      revision: found.version,
      chart: chart.chart,
      version: chart.version,
      appVersion: chart.appVersion,
    },
  };
}

/** What the cluster has no more as the release's manifest says it: {@link releaseDrift}. */
export async function driftedObjects(
  { namespace, name, chart }: ReleaseName,
  around: ReleaseAround,
): Promise<string[]> {
  const found = await around.helm.run(["get", "manifest", name, "--namespace", namespace]);
  if (!found.ok) throw explainHelm(`read release ${namespace}/${name}`, found.stderr, { namespace, name, chart });
  return releaseDrift(found.stdout, namespace, around.cluster);
}

/** Removes a release; one that is gone already is fine. */
export async function removeRelease(inputs: KubernetesObject, { helm, cluster }: ReleaseAround): Promise<void> {
  await cluster.reach();
  const release = nameOf(inputs);
  const done = await helm.run(uninstallArguments(inputs));
  if (!done.ok) throw explainHelm(`uninstall release ${release.namespace}/${release.name}`, done.stderr, release);
}

/** What a release's workloads came to while helm waited for them. */
interface Watched {
  /** Why it was stopped, since it can't succeed; none where it was not. */
  readonly lost: readonly Trouble[];
  /** What keeps those that are not ready, for people. */
  readonly reasons: readonly string[];
}

/** Looks at what a release starts while helm waits for it, and says stop when that can't succeed. */
async function watchRelease(
  inputs: KubernetesObject,
  { cluster, status }: ReleaseAround,
  signal: AbortSignal,
  stop: () => void,
): Promise<Watched> {
  const look = () => workloads(cluster, inputs);
  const before = new Map((await look()).map((object) => [uidOf(object), generationOf(object)]));
  const patience: Patience = new Map();
  let looked = 0;
  let reasons: readonly string[] = [];
  while (!signal.aborted) {
    // One that helm has not changed yet says nothing of the new version.
    const changed = (await look()).filter((o) => before.get(uidOf(o)) !== generationOf(o));
    const looks = changed.map((object) => waiterOf({}, object)?.observe(cluster, object));
    // Whoever may not look, or gets no answer, has seen nothing: it is helm that decides.
    const seen: readonly (Readiness | undefined)[] = await Promise.all(looks).catch(() => []);
    const judged = seen.filter((one) => one !== undefined);
    const troubles = releaseTroubles(judged, patience);
    looked = troubles.length > 0 ? looked + 1 : 0;
    if (looked >= 2) {
      stop();
      return { lost: troubles, reasons: [] };
    }
    reasons = changed.flatMap((object, i) => unready(cluster, object, seen[i]));
    const waiting = judged.find(({ verdict }) => verdict !== "done");
    if (waiting !== undefined) status(waiting.progress);
    await pause(signal);
  }
  return { lost: [], reasons };
}

function unready(cluster: Cluster, object: KubernetesObject, readiness: Readiness | undefined): string[] {
  if (readiness === undefined || readiness.verdict === "done") return [];
  return [
    `${describeObject(object)}: ${readiness.progress}`,
    ...readiness.troubles.map((trouble) => cluster.told(trouble)),
  ];
}

/** What helm waits for and this plugin can judge. Hooks are not among them: helm waits for these by itself, one by one. */
async function workloads(cluster: Cluster, inputs: KubernetesObject): Promise<KubernetesObject[]> {
  const { namespace, name } = nameOf(inputs);
  const query = { labelSelector: "app.kubernetes.io/managed-by=Helm" };
  const kinds = [
    { apiVersion: "apps/v1", kind: "Deployment" },
    { apiVersion: "apps/v1", kind: "StatefulSet" },
    ...(inputs.waitForJobs === true ? [{ apiVersion: "batch/v1", kind: "Job" }] : []),
  ];
  const lists = kinds.map(async (kind) => {
    const found = await cluster.list(kind, namespace, query).catch(() => []);
    // Items of a list do not say what they are.
    return found.map((object): KubernetesObject => ({ ...object, ...kind }));
  });
  return (await Promise.all(lists))
    .flat()
    .filter((object) => annotationOf(object, "meta.helm.sh/release-name") === name);
}

function uidOf(object: KubernetesObject): string {
  return textAt(object, "metadata", "uid");
}

function generationOf(object: KubernetesObject): Value | undefined {
  return valueAt(object, "metadata", "generation");
}

async function pause(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LOOK);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** JSON is YAML. */
function valuesOf(inputs: KubernetesObject): string {
  return JSON.stringify(isObject(inputs.values) ? inputs.values : {});
}

export function nameOf(inputs: KubernetesObject): ReleaseName {
  return {
    namespace: textAt(inputs, "namespace") || "default",
    name: textAt(inputs, "name"),
    chart: textAt(inputs, "chart"),
  };
}

/** @throws UserError for what would have to go over helm's command line */
export function refuseCredentials(inputs: KubernetesObject): void {
  const options = isObject(inputs.repositoryOpts) ? inputs.repositoryOpts : {};
  if (options.password !== undefined || options.username !== undefined)
    throw new UserError(
      `release ${textAt(inputs, "name")}: a repository's password would be in the list of processes`,
      "log in before (helm repo add --password-stdin, or helm registry login), and name the chart REPOSITORY/CHART or oci://…",
    );
}
