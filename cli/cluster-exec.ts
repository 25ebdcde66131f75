import { Writable } from "node:stream";
import { UserError } from "../core/error.ts";
import type { Pod } from "../core/kubernetes/objects.ts";
import { isLive } from "../core/kubernetes/pod.ts";
import { containerOf, podsOf } from "./cluster-logs.ts";
import { findWorkload, type OpenCluster } from "./cluster-session.ts";
import type { Listener } from "./host-session.ts";

/** What a command ends with that could not be started, as docker and shells have it. */
const NOT_STARTED = 126;

/** Runs a command in a pod that serves. @returns its exit code */
export async function clusterExec(
  cluster: OpenCluster,
  [service = "", ...command]: readonly string[],
  listener: Listener,
): Promise<number> {
  const workload = await findWorkload(cluster, service);
  const pod = (await podsOf(cluster, workload)).find(serves);
  if (pod === undefined)
    throw new UserError(`no pod of ${service} serves on ${cluster.name}`, "see `keelson status` for why");
  // Not of the package's main module, which would load a model of every kind.
  const { Exec } = await import("@kubernetes/client-node/dist/exec.js");
  const { config } = await cluster.api.opened();
  const to = (say: (chunk: Buffer) => void) =>
    new Writable({
      write: (chunk: Buffer, _, done) => {
        say(chunk);
        done();
      },
    });
  const status = await new Promise<Status>((resolve, reject) => {
    new Exec(config)
      .exec(
        workload.namespace,
        pod.metadata?.name ?? "",
        containerOf(pod),
        [...command],
        to(listener.stdout),
        to(listener.stderr),
        null,
        false,
        resolve,
      )
      .then((socket) => {
        const broken = () => reject(new UserError("the connection to the pod broke", "run it again"));
        socket.onclose = broken;
        socket.onerror = broken;
      }, reject);
  });
  const code = status.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  if (status.status === "Success" || code !== undefined) return Number(code ?? 0);
  listener.stderr(Buffer.from(`${status.message ?? "it could not be started"}\n`));
  return NOT_STARTED;
}

/** What the API server says of a command that ended (meta/v1, Status). */
interface Status {
  readonly status?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

function serves(pod: Pod): boolean {
  return (
    isLive(pod) && (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True")
  );
}
