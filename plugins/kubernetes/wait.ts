import { UserError } from "../../core/error.ts";
import { judgeDeletion, type Readiness } from "../../core/kubernetes/readiness.ts";
import type { Trouble } from "../../core/kubernetes/trouble.ts";
import { OutageError, RefusedError } from "./call.ts";
import type { Cluster } from "./cluster.ts";
import {
  ANNOTATION,
  annotationOf,
  describeObject,
  type KubernetesObject,
  kindOf,
  nameOf,
  namespaceOf,
  textAt,
} from "./object.ts";
import { tryAgain } from "./try-again.ts";
import { TIMEOUT, type Waiter } from "./waiters.ts";

/** An object is there, and does not do what it is for. */
export class NotReadyError extends Error {
  override readonly name = "NotReadyError";
  readonly expected = true;
  /** As it was last seen. */
  readonly object: KubernetesObject;
  private readonly seen: Seen;

  constructor(object: KubernetesObject, seen: Seen) {
    super(textOf(object, seen));
    this.object = object;
    this.seen = seen;
  }

  /** What it says, with its troubles told in another way. */
  retold(change: (trouble: Trouble) => Trouble): string {
    const { readiness } = this.seen;
    const troubles = readiness.troubles.map(change);
    return textOf(this.object, { ...this.seen, readiness: { ...readiness, troubles } });
  }
}

/** What was seen of an object that is not ready. */
interface Seen {
  /** @example "is not ready in time" */
  readonly how: string;
  readonly readiness: Readiness;
  readonly cluster: Pick<Cluster, "told">;
}

function textOf(object: KubernetesObject, { how, readiness, cluster }: Seen): string {
  const reasons = readiness.troubles.map((trouble) => cluster.told(trouble));
  return [`${describeObject(object)} ${how} (${readiness.progress})`, ...reasons].join("\n");
}

/** An object is there, and whoever asks may not see whether it does what it is for. */
export class UnwatchedError extends NotReadyError {}

/** Pauses between looks, milliseconds: short ones first, since most things are done at once. */
const PAUSES = [200, 300, 500, 1000];
/** Times in a row that an object has to look lost before it is. */
const SURE = 2;
/** Seconds that a version has which was there before the change: until then what keeps it may be of long ago. */
export const ANEW = 10;

export interface Wait {
  readonly cluster: Cluster;
  readonly inputs: KubernetesObject;
  readonly live: KubernetesObject;
  readonly waiter: Waiter;
  /** Seconds, where the resource's options say so. */
  readonly timeout: number;
  /**
   * Seconds in which what failed before counts for nothing, and is tried again: {@link ANEW} for a version that was there before
   * the change, since its cause may have been mended outside. 0, the default, for a new one.
   */
  readonly anew?: number;
  /** A line that stands until the next. */
  readonly status: (line: string, isLast?: boolean) => void;
}

/**
 * Waits until an object does what it is for.
 * @returns it, as it then is
 * @throws NotReadyError when it will not, or its time is over; also where it can't be seen, since it is there
 */
export async function waitReady(wait: Wait): Promise<KubernetesObject> {
  const { cluster, inputs, live, waiter, timeout, status } = wait;
  const retries = new Retries(cluster, (wait.anew ?? 0) * 1000);
  const end = performance.now() + timeoutOf(inputs, timeout, waiter.timeout ?? TIMEOUT) * 1000;
  const name = { ...kindOf(live), namespace: namespaceOf(live), name: nameOf(live) };
  let object = live;
  let readiness: Readiness = { verdict: "wait", troubles: [], progress: "nothing seen yet" };
  const lost = (how: string) => new NotReadyError(object, { how, readiness, cluster });
  let [since, fatal, doubted] = [0, 0, 0];
  for (let look = 0; ; look++) {
    let isSeen = false;
    try {
      const seen = look === 0 ? live : await cluster.read(name);
      if (seen === undefined) throw lost("was deleted while it was waited for");
      object = seen;
      readiness = await waiter.observe(cluster, seen);
      isSeen = true;
      await retries.begin(readiness);
    } catch (error) {
      // A server that restarts comes back; what is cancelled is told below, with the object's state.
      if (!isPassing(error) && !cluster.signal.aborted) throw await unwatched(error, object, cluster, readiness);
    }
    if (cluster.signal.aborted) throw lost("was not waited for to the end: cancelled");
    const now = performance.now();
    if (readiness.verdict !== "done") since = 0;
    else if (since === 0) since = now;
    if (isSeen && readiness.verdict === "done" && now - since >= (waiter.settle ?? 0) * 1000) {
      status(readiness.progress, true);
      return object;
    }
    // A look that failed is none: what was seen before it counts once.
    if (isSeen) fatal = readiness.verdict === "fatal" ? fatal + 1 : 0;
    if (fatal <= 1) doubted = now;
    const isSure = fatal >= SURE && now - doubted >= (waiter.doubt ?? 0) * 1000;
    if (isSure && !retries.areUnderWay(now)) throw lost("does not get ready");
    if (now >= end) throw lost("is not ready in time");
    status(lineOf(readiness));
    await cluster.pause(PAUSES[Math.min(look, PAUSES.length - 1)] ?? 1000);
  }
}

/** What is tried again of a version that is not new, each once, and until when that may take. */
class Retries {
  private readonly cluster: Cluster;
  private readonly patience: number;
  private end: number;
  /** By uid: what had failed when it was first looked at. What fails after that is new. */
  private left: Set<string> | undefined;

  /** @param patience milliseconds */
  constructor(cluster: Cluster, patience: number) {
    [this.cluster, this.patience, this.end] = [cluster, patience, performance.now() + patience];
  }

  areUnderWay(now: number): boolean {
    return this.patience > 0 && now < this.end;
  }

  async begin({ backedOff = [] }: Readiness): Promise<void> {
    if (backedOff.length === 0 || !this.areUnderWay(performance.now())) return;
    this.left ??= new Set(backedOff.map(({ uid }) => uid));
    for (const target of backedOff.filter(({ uid }) => this.left?.has(uid))) {
      if (!(await tryAgain(this.cluster, target))) continue;
      this.left.delete(target.uid);
      this.end = performance.now() + this.patience;
    }
  }
}

/** True for what a server that restarts, or elects a leader, says or does not say. */
function isPassing(error: unknown): boolean {
  if (error instanceof RefusedError) return error.refusal.code >= 500 || error.refusal.code === 429;
  return error instanceof OutageError;
}

/** A refusal as a failure with the object, which otherwise nobody would know of. */
async function unwatched(error: unknown, object: KubernetesObject, cluster: Cluster, readiness: Readiness) {
  if (!(error instanceof RefusedError)) return error;
  const attempt = { verb: "get", resource: kindOf(object).kind.toLowerCase(), namespace: namespaceOf(object) };
  const explained = await cluster.explained(error, { what: "see it", name: nameOf(object), ...attempt });
  const failed = new UnwatchedError(object, { how: "is there, and can't be waited for", readiness, cluster });
  if (explained instanceof UserError)
    failed.message += `\n${explained.message}\n  fix: ${explained.fix}; or don't wait: ${ANNOTATION.skipAwait}: "true"`;
  return failed;
}

/** Looks once. @throws NotReadyError where the object does not do what it is for now */
export async function checkReady(cluster: Cluster, live: KubernetesObject, waiter: Waiter): Promise<void> {
  const readiness = await waiter.observe(cluster, live);
  if (readiness.verdict !== "done") throw new NotReadyError(live, { how: "is not ready", readiness, cluster });
}

/** Waits until an object, and not one of the same name that came after it, is gone. @throws NotReadyError when its time is over */
export async function waitGone({ cluster, inputs, live, timeout, status }: Omit<Wait, "waiter">): Promise<void> {
  const end = performance.now() + timeoutOf(inputs, timeout, TIMEOUT) * 1000;
  const name = { ...kindOf(live), namespace: namespaceOf(live), name: nameOf(live) };
  const uid = textAt(live, "metadata", "uid");
  for (let look = 0; ; look++) {
    const seen = await cluster.read(name).catch((error: unknown) => {
      if (isPassing(error)) return live;
      throw error;
    });
    if (seen === undefined || (uid !== "" && textAt(seen, "metadata", "uid") !== uid)) {
      status("gone", true);
      return;
    }
    const readiness = judgeDeletion(seen as Parameters<typeof judgeDeletion>[0]);
    if (performance.now() >= end) throw new NotReadyError(seen, { how: "is not gone in time", readiness, cluster });
    if (look > 2) status(readiness.progress);
    await cluster.pause(PAUSES[Math.min(look, PAUSES.length - 1)] ?? 1000);
  }
}

/** Seconds: of the resource's options, else of its annotation, else the kind's. */
function timeoutOf(inputs: KubernetesObject, option: number, fallback: number): number {
  if (option > 0) return option;
  const text = annotationOf(inputs, ANNOTATION.timeoutSeconds);
  return /^\d+$/.test(text) ? Number(text) : fallback;
}

function lineOf({ progress, troubles }: Readiness): string {
  const [first] = troubles;
  return first === undefined ? progress : `${progress}; ${first.where}: ${first.reason}: ${first.cause}`;
}
