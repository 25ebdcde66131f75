import { describeRollback, ROLLED_BACK, takenBack, wantsRollback } from "../../core/kubernetes/rollback.ts";
import { isSameVersion } from "../../core/kubernetes/workload-status.ts";
import type { WireMap } from "../common/wire.ts";
import { type Checkpoint, inputsOf, type Served, servedOf } from "./checkpoint.ts";
import { annotationOf, type KubernetesObject, kindOf, nameOf, namespaceOf, valueAt, withValue } from "./object.ts";
import { type Around, updateObject } from "./resource.ts";
import { NotReadyError, UnwatchedError } from "./wait.ts";
import { waiterOf } from "./waiters.ts";

/** Seconds that the version before is given to serve again: most of its pods never stopped. */
const AGAIN = 120;

/** A change that failed, and was taken back. */
export class RolledBackError extends Error {
  override readonly name = "RolledBackError";
  readonly expected = true;
  /** As it is after that. */
  readonly object: KubernetesObject;

  constructor(message: string, object: KubernetesObject) {
    super(message);
    this.object = object;
  }
}

/**
 * What a Deployment would go back to: the inputs whose rollout was last seen to its end. What was applied after that and was
 * not, since the run was cut off or failed, counts only where it serves by now.
 * @param state the resource's, before the change
 */
export async function lastServed(
  state: WireMap,
  { inputs, live }: Checkpoint,
  { cluster, preview }: Around,
): Promise<Served | undefined> {
  const served = servedOf(state);
  const waiter = waiterOf(inputs, live);
  if (preview || waiter === undefined || kindOf(inputs).kind !== "Deployment") return served;
  if (wantsRollback("Deployment", inputs)) {
    const back = await broughtBack(state, { inputs, live, cluster });
    if (back !== undefined) return back;
  }
  if (served?.isLast === true) return served;
  try {
    const seen = await cluster.read({ ...kindOf(live), namespace: namespaceOf(live), name: nameOf(live) });
    if (seen === undefined || !isSameVersion(valueAt(seen, "spec", "template"), valueAt(inputs, "spec", "template")))
      return served;
    const { verdict } = await waiter.observe(cluster, seen);
    return verdict === "done" ? inputsOf(state) : served;
  } catch {
    cluster.signal.throwIfAborted();
    return served; // what can't be looked at did not serve
  }
}

/** What `keelson rollback` brought a Deployment to, which the state does not have: it is what serves. */
async function broughtBack(
  state: WireMap,
  { inputs, live, cluster }: Pick<Checkpoint, "inputs" | "live"> & Pick<Around, "cluster">,
): Promise<Served | undefined> {
  try {
    const seen = await cluster.read({ ...kindOf(live), namespace: namespaceOf(live), name: nameOf(live) });
    const last = inputsOf(state);
    if (seen === undefined || last === undefined || annotationOf(seen, ROLLED_BACK) !== "true") return undefined;
    const template = valueAt(seen, "spec", "template");
    if (template === undefined || isSameVersion(template, valueAt(inputs, "spec", "template"))) return undefined;
    const kept = withValue(
      withValue(inputs, ["spec", "template"], template),
      ["metadata", "annotations", ROLLED_BACK],
      "true",
    );
    return { inputs: kept, marked: kept as WireMap, isLast: false };
  } catch {
    cluster.signal.throwIfAborted();
    return undefined; // what can't be looked at is taken to be as the state has it
  }
}

/**
 * Puts the inputs that last served back where a Deployment asks for that and its new version does not get ready.
 * @returns what the update fails with: that it was rolled back, or the error itself where it was not
 */
export async function rollBack(
  error: unknown,
  change: {
    readonly served: Served | undefined;
    readonly live: KubernetesObject;
    readonly inputs: KubernetesObject;
    readonly ignored: readonly string[];
    readonly around: Around;
  },
): Promise<unknown> {
  const { served, live, inputs, ignored, around } = change;
  if (!(error instanceof NotReadyError) || around.preview || around.cluster.signal.aborted) return error;
  // What nobody saw fail is not taken back.
  if (error instanceof UnwatchedError) return error;
  if (!wantsRollback(kindOf(inputs).kind, inputs)) return error;
  if (served === undefined) {
    error.message += "\nnot rolled back: no version of it has served yet";
    return error;
  }
  around.status("does not get ready; the version that served is put back");
  try {
    const back = await updateObject(live, served.inputs, ignored, { ...around, timeout: AGAIN });
    return new RolledBackError(`${error.retold(takenBack)}\n${describeRollback(served.inputs, inputs)}`, back);
  } catch (second) {
    if (!(second instanceof Error)) throw second;
    error.message += `\nand it could not be rolled back: ${second.message}`;
    return error;
  }
}
