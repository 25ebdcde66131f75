import { readStack } from "../config/read-stack.ts";
import { UserError } from "../core/error.ts";
import { hint } from "../core/lineage.ts";
import { projectRoot } from "../toolchain/home.ts";
import type { ClosedCluster, OpenCluster } from "./cluster-session.ts";
import { hostsOf, type OpenHost } from "./host-session.ts";

/** Where a stack runs workloads. */
export interface Places {
  readonly hosts: readonly OpenHost[];
  readonly clusters: readonly ClosedCluster[];
}

/**
 * A stack's host or cluster by name, or all of them; nothing is dialled yet.
 * @throws UserError for a name that neither has, and for one that both have
 */
export async function openPlaces(stack: string, name?: string): Promise<Places> {
  const { hosts, kubernetes } = await readStack(projectRoot(), stack);
  const known = [...Object.keys(hosts), ...Object.keys(kubernetes)].toSorted();
  if (known.length === 0 || (name !== undefined && !known.includes(name)))
    throw new UserError(
      name === undefined
        ? `stack ${stack} has no hosts and no clusters`
        : `stack ${stack} has no host or cluster "${name}"`,
      known.length === 0
        ? `name another stack with --stack, or add one to keelson:hosts or keelson:kubernetes in Pulumi.${stack}.yaml`
        : `name one of: ${known.join(", ")}${hint(name ?? "", known)}`,
    );
  if (name !== undefined && name in hosts && name in kubernetes)
    throw new UserError(`${name} is a host and a cluster of stack ${stack}`, "give one of them another name");
  const wantsHosts = name === undefined ? Object.keys(hosts).length > 0 : name in hosts;
  const chosen = Object.fromEntries(Object.entries(kubernetes).filter(([key]) => name === undefined || key === name));
  // A stack that has no clusters loads nothing for them.
  const clusters =
    Object.keys(chosen).length === 0 ? [] : await (await import("./cluster-session.ts")).clustersOf(stack, chosen);
  return { hosts: wantsHosts ? await hostsOf(stack, hosts, name) : [], clusters };
}

/** One thing that is done with a workload, wherever it runs; each gives an exit code. */
export interface Deed {
  readonly host: (host: OpenHost) => Promise<number>;
  readonly cluster: (cluster: OpenCluster) => Promise<number>;
}

/** Does it where the workload runs. @param what for a failure's message. @returns its exit code */
export async function runAt(stack: string, name: string, what: string, deed: Deed): Promise<number> {
  const { hosts, clusters } = await openPlaces(stack, name);
  const [host] = hosts;
  if (host !== undefined) return deed.host(host);
  const [closed] = clusters;
  if (closed === undefined)
    throw new UserError(`stack ${stack} has no host or cluster "${name}"`, "see `keelson status`");
  const cluster = closed.open();
  try {
    return await deed.cluster(cluster);
  } catch (error) {
    throw await (await import("./cluster-session.ts")).explained(cluster, error, what);
  }
}
