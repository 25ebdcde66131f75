import { printable } from "../printable.ts";
import { maskSecrets } from "../secrets.ts";

/** What keeps a pod, or a whole rollout, from serving. */
export interface Trouble {
  /** `fatal`: it will not pass by itself. `wait`: it may. */
  readonly verdict: "fatal" | "wait";
  /** @example "pod todo-backend-5d8f7-x2x9k, container app" */
  readonly where: string;
  /** As Kubernetes names it. @example "CrashLoopBackOff" */
  readonly reason: string;
  /** As Kubernetes says it; empty where it says nothing more. */
  readonly message: string;
  /** In plain words, what is likely behind it. */
  readonly cause: string;
  /** A command line that mends it, or that shows what to mend. */
  readonly command: string;
  /** In place of the command, once the version that it is about has been taken back: its pods are gone then. */
  readonly later?: string;
  /** Of an init container that crashes: how often it was started anew. */
  readonly initRestarts?: number;
  /** The container's last words; empty where it said none. */
  readonly log: readonly string[];
}

/** What is left to do where only a pod that is gone could tell more. */
export const WITHOUT_POD =
  "correct what stands above; then npm run up (rollback: false on the workload leaves such pods to be looked at)";

/** Lines of a log that a message shows. */
const LINES = 10;

/** The last lines of a log that say something, without secrets: they end up in the logs of CI. */
export function lastLines(log: string | undefined, lines = LINES): string[] {
  return maskSecrets(log ?? "")
    .split("\n")
    .map((line) => printable(line.trimEnd()))
    .filter((line) => line !== "")
    .slice(-lines);
}

/**
 * One trouble as plain text.
 * @example formatTrouble(trouble)
 * // pod web-5d8-x2x9k, container app: CrashLoopBackOff: back-off 10s restarting failed container
 * //   Error: DATABASE_URL is not set
 * //   cause: the program ends by itself, with code 1
 * //   fix: kubectl -n shop logs web-5d8-x2x9k -c app --previous
 */
export function formatTrouble({ where, reason, message, cause, command, log }: Trouble): string {
  return [
    `${where}: ${reason}${message === "" ? "" : `: ${printable(maskSecrets(message))}`}`,
    ...log.map((line) => `| ${line}`),
    `cause: ${cause}`,
    `fix: ${command}`,
  ].join("\n  ");
}
