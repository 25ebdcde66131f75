import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { parse } from "yaml";
import { type ClusterPlace, describePlace, type PlannedCluster } from "../core/cluster-plan.ts";
import { UserError } from "../core/error.ts";
import { expandHome } from "../core/home-path.ts";
import { hint } from "../core/lineage.ts";
import { lastKnownCluster } from "../toolchain/lab/kubernetes.ts";

/** How to get into a cluster; what is not said is as kubectl has it. */
export interface ClusterAccess {
  readonly context?: string;
  readonly kubeconfig?: string;
}

/**
 * Ways into a stack's clusters, by name. Each context is looked up here, where the message can name those that there are.
 * @param root what paths of kubeconfigs are relative to
 * @throws UserError with every kubeconfig that is not there or can't be read, and every context that one lacks
 */
export function clusterAccess(
  clusters: readonly Pick<PlannedCluster, "name" | "place">[],
  root: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ReadonlyMap<string, ClusterAccess> {
  const ways = new Map<string, ClusterAccess>();
  const problems: UserError[] = [];
  for (const { name, place } of clusters)
    try {
      ways.set(name, accessOf(name, place, root, environment));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(error);
    }
  const [first, ...others] = problems;
  if (first === undefined) return ways;
  if (others.length === 0) throw first;
  const told = problems.map(({ message, fix }) => `${message}\n  ${fix}`).join("\n");
  throw new UserError(`${problems.length} clusters can't be reached:\n${told}`, "nothing was started");
}

function accessOf(
  name: string,
  place: ClusterPlace,
  root: string,
  environment: Readonly<Record<string, string | undefined>>,
): ClusterAccess {
  if (place.kind === "lab") {
    const cluster = lastKnownCluster();
    if (cluster === undefined)
      throw new UserError("the lab's cluster does not run", "run `npm run lab -- --kubernetes`");
    return { kubeconfig: cluster.kubeconfig, context: cluster.context };
  }
  const own = place.kind === "context" ? place.kubeconfig : undefined;
  const context = place.kind === "minikube" ? place.profile : place.context;
  const files =
    own === undefined ? defaultFiles(environment) : [resolve(root, expandHome(own, environment.HOME ?? homedir()))];
  const read = files.filter((file) => existsSync(file)).map(readKubeconfig);
  const key = `keelson:kubernetes.${name}`;
  if (read.length === 0)
    throw new UserError(
      `${key}: no kubeconfig at ${files.join(" or ")}`,
      place.kind === "minikube"
        ? `run \`minikube start -p ${place.profile}\`, or \`npm run up\`, which does`
        : "write the path of one, or log in to the cluster first",
    );
  const contexts = read.flatMap((config) => config.contexts);
  const wanted = context ?? read.find((config) => config.current !== undefined)?.current;
  if (wanted === undefined)
    throw new UserError(
      `${key}: ${files.join(" and ")} says no current context`,
      `write its context, one of: ${contexts.toSorted().join(", ") || "(there is none)"}`,
    );
  if (!contexts.includes(wanted))
    throw new UserError(
      `${key}: ${files.join(" and ")} has no context ${JSON.stringify(wanted)} (${describePlace(place)})`,
      `write one of: ${contexts.toSorted().join(", ") || "(there is none)"}${hint(wanted, contexts)}`,
    );
  return {
    ...(context === undefined ? {} : { context }),
    ...(own === undefined ? {} : { kubeconfig: files[0] ?? "" }),
  };
}

/** As kubectl looks for them. */
function defaultFiles({ KUBECONFIG, HOME }: Readonly<Record<string, string | undefined>>): string[] {
  const listed = (KUBECONFIG ?? "").split(delimiter).filter((path) => path !== "");
  return listed.length > 0 ? listed : [join(HOME ?? homedir(), ".kube", "config")];
}

interface Kubeconfig {
  readonly contexts: readonly string[];
  readonly current: string | undefined;
}

function readKubeconfig(file: string): Kubeconfig {
  let value: unknown;
  try {
    value = parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UserError(
      `${file} can't be read: ${(error as Error).message.split("\n")[0]}`,
      "mend it, or name another",
    );
  }
  const { contexts, "current-context": current } = (value ?? {}) as Record<string, unknown>;
  const named = Array.isArray(contexts) ? contexts : [];
  return {
    contexts: named.flatMap((context: { name?: unknown } | null) =>
      typeof context?.name === "string" ? [context.name] : [],
    ),
    current: typeof current === "string" && current !== "" ? current : undefined,
  };
}
