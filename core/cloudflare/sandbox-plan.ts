import { type Duration, parseDuration } from "../duration.ts";
import { usualSteps } from "./instance-types.ts";

/** An image that runs as a container behind a Worker at Cloudflare. Its name is the Worker's and the application's. */
export interface PlannedSandbox {
  readonly name: string;
  /** Cloudflare account, 32 hex digits. */
  readonly account: string;
  /** The catalogue's name of it. */
  readonly image: string;
  /** Of the stack's volumes. */
  readonly volume?: string;
  readonly instanceType: string;
  /** Path of the project's own Worker module. Default: keelson's. */
  readonly worker?: string;
  readonly maxInstances: number;
  /** Whether it has an address at workers.dev, for anybody; else it has those that are given to its Worker. */
  readonly workersDev: boolean;
  /** Percentages of a rollout, up to 100. */
  readonly steps: readonly number[];
  /** Seconds that a rollout may take. */
  readonly within: number;
}

/** `keelson:cloudflare`, checked. */
export type SandboxesChoice = Readonly<
  Record<
    string,
    Omit<PlannedSandbox, "name" | "volume" | "worker" | "steps" | "within"> & {
      volume?: string | undefined;
      worker?: string | undefined;
      /** Default: usualSteps. */
      steps?: readonly number[] | undefined;
      within: Duration;
    }
  >
>;

/** The sandboxes of a stack, sorted by name. */
export function planSandboxes(choices: SandboxesChoice): PlannedSandbox[] {
  return Object.entries(choices)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { volume, worker, steps, within, ...choice }]) => ({
      name,
      ...choice,
      ...(volume === undefined ? {} : { volume }),
      ...(worker === undefined ? {} : { worker }),
      steps: steps ?? usualSteps(choice.maxInstances),
      within: parseDuration(within),
    }));
}
