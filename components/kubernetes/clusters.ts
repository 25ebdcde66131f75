import { Namespace } from "@pulumi/kubernetes/core/v1/namespace.js";
import { Provider } from "@pulumi/kubernetes/provider.js";
import * as pulumi from "@pulumi/pulumi";
import {
  DATABASE_VARIABLE,
  type PlannedApp,
  type PlannedChart,
  type PlannedCluster,
  type PlannedDatabase,
  POSTGRES,
  runnersOf,
} from "../../core/cluster-plan.ts";
import { parseDuration } from "../../core/duration.ts";
import { parseReference } from "../../core/reference.ts";
import { LOADER_VARIABLES } from "../../core/volume/consumers.ts";
import type { R2Volume } from "../volume/r2-volume.ts";
import { HelmRelease, type HelmReleaseArgs } from "./helm-release.ts";
import { KubernetesApp, type KubernetesAppArgs } from "./kubernetes-app.ts";
import { MinikubeImage } from "./minikube-image.ts";
import { Postgres } from "./postgres.ts";
import { type PullLogin, pullSecret } from "./pull-secret.ts";

/** How to get into a cluster: what of it is not said is as kubectl has it. */
export interface ClusterAccess {
  readonly context?: string | undefined;
  /** Path of the file. */
  readonly kubeconfig?: string | undefined;
}

type Secrets = Readonly<Record<string, { readonly secrets?: Readonly<Record<string, string>> }>>;

export interface ClustersArgs {
  /** By name. */
  readonly access: ReadonlyMap<string, ClusterAccess>;
  /** Images of the catalogue by name: `ref` is by digest. */
  readonly images: ReadonlyMap<string, { readonly ref: pulumi.Input<string> }>;
  /** `uid:gid` of images of the catalogue. */
  readonly users: ReadonlyMap<string, string>;
  /** `keelson:workloads`, with its secrets. */
  readonly workloads: pulumi.Input<Secrets>;
  /** `keelson:kubernetes`, with its secrets. */
  readonly clusters: pulumi.Input<Readonly<Record<string, { readonly charts?: Secrets }>>>;
  /** The stack's, by name. */
  readonly volumes?: ReadonlyMap<string, Pick<R2Volume, "environment">> | undefined;
  /** Login of the registry that images of the catalogue are pulled from; its host as images are written. */
  readonly pull?: (PullLogin & { readonly host: string }) | undefined;
}

/** All clusters of a plan; they change side by side. */
export function buildClusters(
  planned: readonly PlannedCluster[],
  args: ClustersArgs,
  options?: pulumi.ComponentResourceOptions,
): ReadonlyMap<string, Cluster> {
  return new Map(planned.map((cluster) => [cluster.name, new Cluster(cluster.name, { ...args, cluster }, options)]));
}

/**
 * A Kubernetes cluster and all that the stack runs on it, through a provider of its own: namespaces under the restricted
 * Pod Security standard, databases, applications in the order that they wait for each other, and charts.
 */
export class Cluster extends pulumi.ComponentResource {
  /** Inside of the cluster, by application. */
  readonly urls: pulumi.Output<Record<string, string>>;

  constructor(
    name: string,
    args: ClustersArgs & { readonly cluster: PlannedCluster },
    options?: pulumi.ComponentResourceOptions,
  ) {
    const { cluster, access } = args;
    const { context, kubeconfig } = access.get(name) ?? {};
    const provider = new Provider(name, {
      ...(context === undefined ? {} : { context }),
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      // Another path to the same cluster is no other cluster: nothing is replaced for it.
      clusterIdentifier: name,
      // The objects are the stack's own: what it says of them goes before what somebody set by hand.
      enablePatchForce: true,
    });
    super("keelson:kubernetes:Cluster", name, {}, { ...options, providers: { kubernetes: provider } });
    const child = { parent: this };
    const namespaces = new Map(
      cluster.namespaces.map((space) => [
        space,
        namespaceOf(`${name}-${space}`, space, keeping(space, cluster.databases, child)),
      ]),
    );
    const within = (space: string, more: readonly pulumi.Resource[] = []) => ({
      ...child,
      dependsOn: [...[namespaces.get(space)].filter((n) => n !== undefined), ...more],
    });
    const images =
      cluster.place.kind === "minikube" ? loaded(cluster, cluster.place.profile, args, child) : args.images;
    const own = {
      ...args,
      images,
      workloads: pulumi.secret(pulumi.output(args.workloads)),
      clusters: pulumi.secret(pulumi.output(args.clusters)),
    };
    const databases = new Map(
      cluster.databases.map((database) => {
        const small = database.as === "statefulset";
        const image = small ? images.get(POSTGRES)?.ref : undefined;
        const user = small ? args.users.get(POSTGRES) : undefined;
        const postgres = { database, image, user, pull: args.pull };
        return [database.name, new Postgres(`${name}-${database.name}`, postgres, within(database.namespace))];
      }),
    );
    // Where a database is not to move, the run ends before what would have moved with it.
    const stay = [...databases.values()].map(({ stays }) => stays).filter((secret) => secret !== undefined);
    const apps = new Map<string, KubernetesApp>();
    for (const app of inOrder(cluster.apps)) {
      const before = (app.after ?? []).map((other) => apps.get(other)).filter((other) => other !== undefined);
      apps.set(
        app.name,
        new KubernetesApp(app.name, appArgs(app, own, databases), within(app.namespace, [...stay, ...before])),
      );
    }
    for (const chart of cluster.charts) {
      const resource = `${name}-${chart.name}`;
      const options = within(chart.namespace, [...databases.values()]);
      new HelmRelease(resource, chartArgs(chart, name, own, pullOf(chart, resource, args, options)), options);
    }
    this.urls = pulumi.output(Object.fromEntries([...apps].map(([app, { url }]) => [app, url])));
    this.registerOutputs({ urls: this.urls });
  }
}

/** Pod Security standards, kubernetes.io/docs/concepts/security/pod-security-admission: nothing less than restricted runs. */
function namespaceOf(resource: string, name: string, child: pulumi.CustomResourceOptions): Namespace {
  const labels = { "pod-security.kubernetes.io/enforce": "restricted", "app.kubernetes.io/managed-by": "keelson" };
  return new Namespace(resource, { metadata: { name, labels } }, child);
}

/** A database that stays has to have the namespace which its data is in. */
function keeping(
  space: string,
  databases: readonly PlannedDatabase[],
  child: pulumi.CustomResourceOptions,
): pulumi.CustomResourceOptions {
  const stays = databases.some(({ as, namespace }) => as === "cloudnativepg" && namespace === space);
  return stays ? { ...child, retainOnDelete: true } : child;
}

/** The registry's login where a chart says by which of its values it takes one: as a list, like pods have it. */
function pullOf(
  { namespace, pullSecrets }: PlannedChart,
  resource: string,
  { pull }: ClustersArgs,
  options: pulumi.CustomResourceOptions,
): Readonly<Record<string, pulumi.Input<unknown>>> {
  if (pull === undefined || pullSecrets === undefined) return {};
  return { [pullSecrets]: [{ name: pullSecret(resource, namespace, pull, options).metadata.name }] };
}

/** What a Minikube's node has to have: it does not reach this machine's registry. */
function loaded(
  cluster: PlannedCluster,
  profile: string,
  { images }: ClustersArgs,
  child: pulumi.ComponentResourceOptions,
): ReadonlyMap<string, { readonly ref: pulumi.Input<string> }> {
  const names = [...images.keys()].filter((name) => runnersOf(name, cluster).length > 0);
  return new Map(
    names.map((name) => {
      const ref = images.get(name)?.ref ?? "";
      return [name, new MinikubeImage(`${cluster.name}-${name}`, { image: name, profile, ref }, child)];
    }),
  );
}

/** Each after those that it waits for; the plan has no circle. */
function inOrder(apps: readonly PlannedApp[]): readonly PlannedApp[] {
  const ordered: PlannedApp[] = [];
  const add = (app: PlannedApp) => {
    if (ordered.includes(app)) return;
    for (const name of app.after ?? []) {
      const other = apps.find((a) => a.name === name);
      if (other !== undefined) add(other);
    }
    ordered.push(app);
  };
  apps.forEach(add);
  return ordered;
}

/** Opened once: every application looks its secrets up in it, and each opening walks all of it. */
type OwnArgs = Omit<ClustersArgs, "workloads" | "clusters"> & {
  readonly workloads: pulumi.Output<Secrets>;
  readonly clusters: pulumi.Output<Readonly<Record<string, { readonly charts?: Secrets }>>>;
};

function appArgs(app: PlannedApp, args: OwnArgs, databases: ReadonlyMap<string, Postgres>): KubernetesAppArgs {
  const {
    image,
    external,
    environment,
    secrets,
    volume,
    database,
    replicas,
    timeout,
    after: _,
    name: __,
    ...same
  } = app;
  const address = database === undefined ? undefined : databases.get(database)?.address;
  return {
    ...same,
    image: external === true ? image : refOf(image, args),
    replicas,
    ...(timeout === undefined ? {} : { timeout: Math.ceil(parseDuration(timeout)) }),
    ...(environment === undefined ? {} : { config: environment }),
    ...(secrets === undefined && volume === undefined
      ? {}
      : {
          secrets: {
            ...named(secrets ?? [], args.workloads, (all) => all[app.name]?.secrets),
            ...(volume === undefined ? {} : loaderSettings(volume, args)),
          },
        }),
    ...(address === undefined ? {} : { secretRefs: { [DATABASE_VARIABLE]: address } }),
    ...(args.pull !== undefined && isPulledFrom(args.pull.host, app) ? { pull: args.pull } : {}),
  };
}

/** Whether an application's image comes from the registry that there is a login of: one of the catalogue does. */
function isPulledFrom(host: string, { image, external }: PlannedApp): boolean {
  return external !== true || parseReference(image).host === host;
}

/** Variables of the tool loader, each an Output of its own. */
function loaderSettings(
  volume: string,
  { volumes }: Pick<ClustersArgs, "volumes">,
): Record<string, pulumi.Output<string>> {
  const environment = volumes?.get(volume)?.environment;
  if (environment === undefined) throw new Error(`volume ${volume} is not in the plan`);
  return Object.fromEntries(LOADER_VARIABLES.map((name) => [name, environment.apply((all) => all[name] ?? "")]));
}

function chartArgs(chart: PlannedChart, cluster: string, args: OwnArgs, pull: HelmReleaseArgs["set"]): HelmReleaseArgs {
  const { images = {}, pullSecrets: _, secrets, timeout, name, ...same } = chart;
  const refs = Object.entries(images).map(([path, image]) => [path, refOf(image, args)] as const);
  return {
    ...same,
    release: name,
    set: { ...Object.fromEntries(refs), ...pull },
    ...(timeout === undefined ? {} : { timeout: Math.ceil(parseDuration(timeout)) }),
    ...(secrets === undefined
      ? {}
      : { secrets: named(secrets, args.clusters, (all) => all[cluster]?.charts?.[name]?.secrets) }),
  };
}

function refOf(image: string, { images }: Pick<ClustersArgs, "images">): pulumi.Input<string> {
  const ref = images.get(image)?.ref;
  if (ref === undefined) throw new Error(`image ${image} is not in the plan`);
  return ref;
}

/** Secret values by name, each an Output of its own. */
function named<T>(
  names: readonly string[],
  all: pulumi.Output<T>,
  pick: (all: T) => Readonly<Record<string, string>> | undefined,
): Record<string, pulumi.Output<string>> {
  const values = all.apply((config) => pick(config) ?? {});
  return Object.fromEntries(names.map((name) => [name, values.apply((own) => own[name] ?? "")]));
}
