import type { BackedOff } from "../../core/kubernetes/backed-off.ts";
import { RefusedError } from "./call.ts";
import type { Cluster } from "./cluster.ts";

/** Who asks a maker of pods again. */
const MANAGER = "keelson-retry";
/** What its controller notices; the version that it was asked at, so that each time is another one. */
const ASKED = "keelson.dev/tried-again";

/**
 * Has what waits in a back-off tried again now: a pod is made anew, its maker asked anew. A pod that has changed since it was
 * looked at, as one that begins to serve, is left alone.
 * @returns false where it has changed, and is to be looked at again; true also where the user may not do it
 */
export async function tryAgain(cluster: Cluster, target: BackedOff): Promise<boolean> {
  const { apiVersion, kind, namespace, name, uid, resourceVersion } = target;
  try {
    if (kind === "Pod")
      await cluster.delete({ apiVersion, kind, namespace, name }, "Background", { uid, resourceVersion });
    else {
      const annotations = { [ASKED]: resourceVersion };
      const object = { apiVersion, kind, metadata: { namespace, name, uid, annotations } };
      await cluster.apply(object, { fieldManager: MANAGER, dryRun: false, force: true });
    }
    return true;
  } catch (error) {
    if (!(error instanceof RefusedError) || error.refusal.code >= 500 || error.refusal.code === 429) throw error;
    return error.refusal.code !== 409;
  }
}
