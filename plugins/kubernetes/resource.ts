import { isDeepStrictEqual } from "node:util";
import { replicasStay } from "../../core/kubernetes/replicas.ts";
import { UNKNOWN, type Value } from "../common/wire.ts";
import { RefusedError } from "./call.ts";
import type { Cluster, Written } from "./cluster.ts";
import { NO_KIND } from "./cluster.ts";
import {
  CREATOR,
  isOwn,
  isPredecessor,
  isTheirs,
  isUnmanaged,
  KEEPER,
  managersIn,
  overruled,
  takeOver,
} from "./managed-fields.ts";
import {
  ANNOTATION,
  annotationOf,
  isObject,
  type KubernetesObject,
  kindOf,
  nameOf,
  namespaceOf,
  textAt,
  valueAt,
  withValue,
} from "./object.ts";
import { getAt, parsePath, setAt } from "./paths.ts";
import type { Settings } from "./settings.ts";
import { ANEW, waitGone, waitReady } from "./wait.ts";
import { waiterOf } from "./waiters.ts";

/** What an object's calls need besides it. */
export interface Around {
  readonly cluster: Cluster;
  readonly settings: Settings;
  readonly fieldManager: string;
  /** Only asks what would be. */
  readonly preview: boolean;
  /** Seconds, of the resource's options; 0: none. */
  readonly timeout: number;
  /** A line that stands until the next. */
  readonly status: (line: string, isLast?: boolean) => void;
  readonly warn: (line: string) => void;
}

/** Pauses before a new object is tried again whose kind or namespace is just being made, milliseconds. */
const RETRIES = [500, 1000, 2000, 4000];

/** Makes an object, and waits until it does what it is for. */
export async function createObject(inputs: KubernetesObject, around: Around): Promise<KubernetesObject> {
  const { cluster, settings, preview } = around;
  for (let attempt = 0; ; attempt++) {
    try {
      const made = settings.upsertExistingObjects
        ? await cluster.apply(inputs, { ...writing(around), force: preview || isForced(inputs, settings) })
        : await cluster.create(inputs, { fieldManager: CREATOR, dryRun: preview });
      for (const warning of due(made.warnings, inputs)) around.warn(warning);
      return preview ? supposed(inputs, made.object) : await ready(inputs, made.object, around);
    } catch (error) {
      const pause = RETRIES[attempt];
      if (preview || pause === undefined || !isMissing(error)) throw error;
      around.status(`waits: ${(error as Error).message}`);
      await cluster.pause(pause);
    }
  }
}

/** Of every headless Service, whatever it says, by Kubernetes 1.34.0 and 1.34.1 (kubernetes/kubernetes#134040). */
const OF_HEADLESS = "spec.SessionAffinity is ignored for headless services";

/** The server's warnings, without the one that is false where the object does not ask for it. */
function due(warnings: readonly string[], inputs: KubernetesObject): string[] {
  const asks = !["", "None"].includes(textAt(inputs, "spec", "sessionAffinity"));
  return warnings.filter((warning) => asks || warning !== OF_HEADLESS);
}

/** Applies new inputs to an object, and waits until it does again what it is for. */
export async function updateObject(
  before: KubernetesObject,
  inputs: KubernetesObject,
  ignored: readonly string[],
  around: Around,
): Promise<KubernetesObject> {
  const { live, applied, kept, overruled } = await change(before, inputs, ignored, around);
  for (const warning of [...overruled, ...due(applied.warnings, inputs)]) around.warn(warning);
  // The dry run knows of no keeper.
  if (around.preview)
    return kept === undefined ? applied.object : { ...applied.object, spec: replicasOf(applied.object, kept) };
  const isKnown = isDeepStrictEqual(templateOf(live), templateOf(applied.object));
  return await ready(inputs, applied.object, around, isKnown ? ANEW : 0);
}

/** What an apply came to. */
interface Change {
  /** As it was before. */
  readonly live: KubernetesObject;
  readonly applied: Written;
  /** What was kept for an autoscaler. */
  readonly kept: KubernetesObject | undefined;
  /** Who else had set what is another thing now, for people. */
  readonly overruled: readonly string[];
}

async function change(
  before: KubernetesObject,
  inputs: KubernetesObject,
  ignored: readonly string[],
  around: Around,
): Promise<Change> {
  const { cluster, settings, fieldManager, preview } = around;
  const name = { ...kindOf(inputs), namespace: namespaceOf(before), name: nameOf(before) };
  let live = await cluster.read(name);
  if (live === undefined)
    throw new RefusedError({
      code: 404,
      reason: "NotFound",
      message: `${nameOf(before)} is not there any more`,
    });
  const found = live;
  const taken = takeOver(live, fieldManager);
  if (taken !== undefined && !preview) live = await takenOver(name, live, around);
  const wanted = keepIgnored(inputs, live, ignored, fieldManager);
  const force = isForced(inputs, settings) || isUnmanaged(live);
  const kept = keptReplicas(wanted, live, fieldManager);
  if (kept !== undefined && !preview) await cluster.apply(kept, { fieldManager: KEEPER, dryRun: false, force: true });
  let applied: Written;
  try {
    applied = await cluster.apply(wanted, { ...writing(around), force });
  } catch (error) {
    // The update itself takes over before it applies.
    if (!preview || taken === undefined || !isWithPredecessors(error)) throw error;
    applied = await cluster.apply(wanted, { ...writing(around), force: true });
  }
  return { live: found, applied, kept, overruled: overruled(found, applied.object, wanted, fieldManager) };
}

/** What its pods are made from: another one is another version. */
function templateOf(workload: KubernetesObject): Value | undefined {
  return valueAt(workload, "spec", "template");
}

/**
 * A Deployment's number of pods alone, as it is now, where this stack gives it up to somebody else: an apply without it would
 * make it 1 (kubernetes.io/docs/reference/using-api/server-side-apply, transferring ownership).
 */
function keptReplicas(
  wanted: KubernetesObject,
  live: KubernetesObject,
  fieldManager: string,
): KubernetesObject | undefined {
  const { apiVersion, kind } = kindOf(wanted);
  const replicas = valueAt(live, "spec", "replicas");
  if (!replicasStay(kind, wanted) || replicas === undefined || !isOwn(live, fieldManager, ["spec", "replicas"]))
    return undefined;
  const metadata = { name: nameOf(live), namespace: namespaceOf(live) };
  return { apiVersion, kind, metadata, spec: { replicas } };
}

function replicasOf(object: KubernetesObject, kept: KubernetesObject): KubernetesObject {
  const spec = isObject(object.spec) ? object.spec : {};
  return { ...spec, replicas: valueAt(kept, "spec", "replicas") ?? null };
}

/** How often fields are taken over of an object that others change at the same time: its status. */
const TAKES = 5;

/** With the fields of who applied before under this stack's own manager; that is held to what was read, so it is read again. */
async function takenOver(
  name: Parameters<Cluster["patch"]>[0],
  live: KubernetesObject,
  { cluster, fieldManager }: Around,
): Promise<KubernetesObject> {
  let object = live;
  for (let attempt = 1; ; attempt++) {
    const patch = takeOver(object, fieldManager);
    if (patch === undefined) return object;
    try {
      return await cluster.patch(name, patch);
    } catch (error) {
      if (!(error instanceof RefusedError) || error.refusal.code !== 409 || attempt >= TAKES) throw error;
      object = (await cluster.read(name)) ?? object;
    }
  }
}

/**
 * Asks of a change that a preview knows only in part whether somebody else has what it will set, and says so where it is taken
 * by force: for what is not known yet stands what was there.
 * @throws RefusedError naming them
 */
export async function findConflicts(
  before: KubernetesObject,
  inputs: KubernetesObject,
  ignored: readonly string[],
  around: Around,
): Promise<void> {
  const known = knownOf(inputs, before);
  if (!isObject(known)) return;
  try {
    const { overruled } = await change(before, known, ignored, around);
    for (const warning of overruled) around.warn(warning);
  } catch (error) {
    around.cluster.signal.throwIfAborted();
    // What else it says may be about what is not known yet.
    if (error instanceof RefusedError && managersIn(error.refusal.details?.causes ?? []).length > 0) throw error;
  }
}

function knownOf(value: Value, live: Value | undefined): Value | undefined {
  if (value === UNKNOWN) return live;
  if (Array.isArray(value)) {
    const there = Array.isArray(live) ? live : [];
    return value.map((item, i) => knownOf(item, there[i])).filter((item) => item !== undefined);
  }
  if (!isObject(value)) return value;
  const there = isObject(live) ? live : {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => {
      const known = knownOf(item, there[key]);
      return known === undefined ? [] : [[key, known]];
    }),
  );
}

/** Deletes an object, and waits until it is gone. */
export async function deleteObject(inputs: KubernetesObject, live: KubernetesObject, around: Around): Promise<void> {
  const { cluster, timeout, status } = around;
  const name = { ...kindOf(live), namespace: namespaceOf(live), name: nameOf(live) };
  const isThere = await cluster.delete(name, propagation(inputs));
  const skips = annotationOf(inputs, ANNOTATION.skipAwait) === "true" && SKIPS_GONE.includes(kindOf(live).kind);
  if (isThere && !skips) await waitGone({ cluster, inputs, live, timeout, status });
}

/** Kinds whose end `skipAwait` does not wait for either, as the official plugin has it. */
const SKIPS_GONE = ["Namespace", "Pod", "ReplicationController", "DaemonSet", "Deployment", "StatefulSet", "Job"];

function propagation(inputs: KubernetesObject): string {
  const wanted = annotationOf(inputs, ANNOTATION.deletionPropagation).toLowerCase();
  if (wanted === "orphan") return "Orphan";
  return wanted === "background" ? "Background" : "Foreground";
}

async function ready(
  inputs: KubernetesObject,
  live: KubernetesObject,
  around: Around,
  anew = 0,
): Promise<KubernetesObject> {
  const waiter = waiterOf(inputs, live);
  if (waiter === undefined) return live;
  const { cluster, timeout, status } = around;
  return await waitReady({ cluster, inputs, live, waiter, timeout, anew, status });
}

function writing({ fieldManager, preview }: Around) {
  return { fieldManager, dryRun: preview };
}

function isForced(inputs: KubernetesObject, settings: Settings): boolean {
  return settings.enablePatchForce || annotationOf(inputs, ANNOTATION.patchForce) === "true";
}

/** True for a refusal that something of the same run may end: a kind or a namespace that is just being made. */
function isMissing(error: unknown): boolean {
  if (!(error instanceof RefusedError) || error.refusal.code !== 404) return false;
  return error.refusal.reason === NO_KIND || isNamespaceMissing(error);
}

/** True for a refusal of an object whose namespace is not there. */
export function isNamespaceMissing(error: unknown): boolean {
  return error instanceof RefusedError && error.refusal.code === 404 && error.refusal.details?.kind === "namespaces";
}

function isWithPredecessors(error: unknown): boolean {
  if (!(error instanceof RefusedError) || error.refusal.code !== 409) return false;
  const managers = managersIn(error.refusal.details?.causes ?? []);
  return managers.length > 0 && managers.every(isPredecessor);
}

/** Inputs in which what is to be ignored is as the cluster has it: left out where it is somebody else's alone. */
export function keepIgnored(
  inputs: KubernetesObject,
  live: KubernetesObject,
  ignored: readonly string[],
  fieldManager: string,
): KubernetesObject {
  return ignored.reduce((wanted, text) => {
    const path = parsePath(text);
    const keys = path.filter((key) => typeof key === "string");
    const there = getAt(live, path);
    const isAway = keys.length === path.length && isTheirs(live, fieldManager, keys);
    if (there === undefined && !isAway) return wanted;
    const changed =
      isAway || getAt(wanted, path) !== undefined ? setAt(wanted, path, isAway ? undefined : there) : wanted;
    return isObject(changed) ? changed : wanted;
  }, inputs);
}

/** Fields that a dry run makes up, by kind; what is `metadata` is every kind's. */
const MADE_UP: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "": [
    ["metadata", "uid"],
    ["metadata", "creationTimestamp"],
    ["metadata", "resourceVersion"],
  ],
  Service: [
    ["spec", "clusterIP"],
    ["spec", "clusterIPs"],
    ["spec", "healthCheckNodePort"],
  ],
};

/** What a new object will be like: as the dry run answered, with what only the real one will know as unknown. */
export function supposed(inputs: KubernetesObject, answer: KubernetesObject): KubernetesObject {
  const { status: _, ...rest } = answer;
  const unknown = [...(MADE_UP[""] ?? []), ...(MADE_UP[kindOf(answer).kind] ?? [])].filter(
    (path) => valueAt(inputs, ...path) === undefined && valueAt(answer, ...path) !== undefined,
  );
  const object = unknown.reduce((known, path) => withValue(known, path, UNKNOWN), rest);
  return withValue(withNodePorts(inputs, object), ["status"], UNKNOWN);
}

/** A Service's node ports are drawn anew when it is made. */
function withNodePorts(inputs: KubernetesObject, object: KubernetesObject): KubernetesObject {
  const ports = valueAt(object, "spec", "ports");
  if (kindOf(object).kind !== "Service" || !Array.isArray(ports)) return object;
  const drawn = ports.map((port, i) =>
    isObject(port) && port.nodePort !== undefined && getAt(inputs, ["spec", "ports", i, "nodePort"]) === undefined
      ? { ...port, nodePort: UNKNOWN as typeof UNKNOWN }
      : port,
  );
  return withValue(object, ["spec", "ports"], drawn);
}
