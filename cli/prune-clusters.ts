import { existsSync } from "node:fs";
import { join } from "node:path";
import { readStack } from "../config/read-stack.ts";
import { UserError } from "../core/error.ts";
import { imageKeepers, RUNNERS } from "../core/kubernetes/images-in-use.ts";
import type { Keeper } from "../core/prune.ts";
import { projectRoot } from "../toolchain/home.ts";
import { resourcesOf } from "./stack-state.ts";

/**
 * What a stack's clusters still run, or keep in ReplicaSets for a rollback, in the namespaces that it has anything in. One that
 * can't be asked ends the run: it may run anything. Of a stack without a file in this checkout nobody knows the clusters.
 * @param state of the stack, as it was exported
 * @param registry host with port
 */
export async function keepersOnClusters(stack: string, state: unknown, registry: string): Promise<Keeper[]> {
  if (!existsSync(join(projectRoot(), `Pulumi.${stack}.yaml`))) return [];
  const { kubernetes } = await readStack(projectRoot(), stack);
  if (Object.keys(kubernetes).length === 0) return [];
  const { clustersOf, explained } = await import("./cluster-session.ts");
  const keepers: Keeper[] = [];
  for (const { name, used, open } of await clustersOf(stack, kubernetes, resourcesOf(state))) {
    // A cluster that nothing was ever brought to may not even be there.
    if (!used) continue;
    try {
      const cluster = open();
      const { workloads, releases, api } = cluster;
      const namespaces = new Set([...workloads, ...releases].map(({ namespace }) => namespace));
      const lists = [...namespaces].flatMap((namespace) =>
        RUNNERS.map(async ([kind, apiVersion]) =>
          (await api.list({ apiVersion, kind }, namespace)).map((object) => ({ ...object, kind })),
        ),
      );
      const objects = (
        await Promise.all(lists).catch(async (error: unknown) => {
          throw await explained(cluster, error, "see what runs");
        })
      ).flat();
      keepers.push(...imageKeepers(name, objects, registry));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw new UserError(
        `cluster ${name} of stack ${stack} does not say what it runs: ${error.message}`,
        `${error.fix}; or take it out of keelson:kubernetes and bring the stack up`,
      );
    }
  }
  return keepers;
}
