import { describeRollback, wantsRollback } from "../../core/kubernetes/rollback.ts";
import { type KubernetesObject, kindOf } from "./object.ts";
import { type Around, updateObject } from "./resource.ts";
import { NotReadyError, UnwatchedError } from "./wait.ts";

/** Seconds that the version before is given to serve again: most of its pods never stopped. */
const AGAIN = 120;

/** A change that failed, and was taken back: the object is as it was before, and so is its state. */
export class RolledBackError extends Error {
  override readonly name = "RolledBackError";
  readonly expected = true;
}

/**
 * Puts the inputs before back where a Deployment asks for that and its new version does not get ready.
 * @returns what the update fails with: that it was rolled back, or the error itself where it was not
 */
export async function rollBack(
  error: unknown,
  change: {
    readonly before: { readonly inputs: KubernetesObject; readonly live: KubernetesObject };
    readonly inputs: KubernetesObject;
    readonly ignored: readonly string[];
    readonly around: Around;
  },
): Promise<unknown> {
  const { before, inputs, ignored, around } = change;
  if (!(error instanceof NotReadyError) || around.preview || around.cluster.signal.aborted) return error;
  // What nobody saw fail is not taken back.
  if (error instanceof UnwatchedError) return error;
  if (!wantsRollback(kindOf(inputs).kind, inputs) || Object.keys(before.inputs).length === 0) return error;
  around.status("does not get ready; the version before is put back");
  try {
    await updateObject(before.live, before.inputs, ignored, { ...around, timeout: AGAIN });
  } catch (second) {
    if (!(second instanceof Error)) throw second;
    const failed = new NotReadyError(error.object, "", { verdict: "fatal", troubles: [], progress: "" });
    failed.message = `${error.message}\nand it could not be rolled back: ${second.message}`;
    return failed;
  }
  return new RolledBackError(`${error.message}\n${describeRollback(before.inputs, inputs)}`);
}
