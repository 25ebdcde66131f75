import type { Duration } from "./duration.ts";
import { UserError } from "./error.ts";
import type { Finding } from "./finding.ts";
import type { Health } from "./image.ts";
import type { AppIngress, AppRoute } from "./kubernetes/entrance.ts";
import { workloadImage } from "./kubernetes/workload-image.ts";
import { hint } from "./lineage.ts";
import { defined, type Loose } from "./optional.ts";
import { parseSize, type Size } from "./size.ts";

/** How a cluster is found; nobody's rights stand here. */
export type ClusterPlace =
  | { readonly kind: "context"; readonly context?: string; readonly kubeconfig?: string }
  | ({ readonly kind: "minikube" } & PlannedMinikube)
  | { readonly kind: "lab" };

/** A node of Minikube's, as `minikube start` takes it. */
export interface PlannedMinikube {
  readonly profile: string;
  readonly start: boolean;
  readonly driver?: string;
  readonly cpus?: number;
  readonly memory?: Size;
  readonly gpus?: "all" | "nvidia" | "amd";
}

/** A PostgreSQL of a cluster. */
export interface PlannedDatabase {
  readonly name: string;
  readonly namespace: string;
  readonly as: "statefulset" | "cloudnativepg";
  /** Of its volume, as the API server takes it; absent: data is the pod's. @example "1Gi" */
  readonly size?: string;
  readonly storageClass?: string;
  readonly instances: number;
}

/** One application of a cluster, before its image is built. */
export interface PlannedApp {
  readonly name: string;
  readonly namespace: string;
  /** The catalogue's name of it, or with `external` a whole reference. */
  readonly image: string;
  readonly external?: true;
  readonly command?: readonly string[];
  readonly user: string;
  readonly port: number;
  readonly health?: Health;
  readonly ready?: string;
  readonly replicas: number | { readonly min: number; readonly max: number; readonly cpu?: number };
  /** As the API server takes them. @example { cpu: "100m", memory: "256Mi" } */
  readonly resources: { readonly cpu: string; readonly memory: string };
  readonly environment?: Readonly<Record<string, string>>;
  /** Names of its secrets. */
  readonly secrets?: readonly string[];
  /** The stack's volume whose settings for the tool loader are among its secrets. */
  readonly volume?: string;
  readonly database?: string;
  readonly migrate?: readonly string[];
  readonly writable?: readonly string[];
  readonly ingress?: AppIngress;
  readonly route?: AppRoute;
  readonly after?: readonly string[];
  readonly timeout?: Duration;
  readonly rollback?: true;
}

/** A Helm chart of a cluster. */
export interface PlannedChart {
  readonly name: string;
  readonly namespace: string;
  readonly chart: string;
  readonly version?: string;
  readonly repository?: string;
  readonly values?: Readonly<Record<string, unknown>>;
  /** By the path of a value: the catalogue's name of the image that it becomes. */
  readonly images?: Readonly<Record<string, string>>;
  /** Path of the value that takes names of pull secrets, as pods do: `[{ name }]`. */
  readonly pullSecrets?: string;
  /** Paths of values that are secrets. */
  readonly secrets?: readonly string[];
  readonly timeout?: Duration;
  /** Hash over the files of one that is a folder. */
  readonly content?: string;
}

/** A cluster and all that the stack runs on it. */
export interface PlannedCluster {
  readonly name: string;
  readonly place: ClusterPlace;
  /** Those that are made for it. */
  readonly namespaces: readonly string[];
  readonly databases: readonly PlannedDatabase[];
  readonly apps: readonly PlannedApp[];
  readonly charts: readonly PlannedChart[];
}

/** `keelson:kubernetes` as far as a plan needs it. */
export type ClustersChoice = Readonly<
  Record<
    string,
    {
      readonly context?: string | undefined;
      readonly kubeconfig?: string | undefined;
      readonly minikube?: Loose<Partial<PlannedMinikube>> | undefined;
      readonly lab?: true | undefined;
      readonly namespace?: string | undefined;
      readonly createNamespaces?: boolean | undefined;
      readonly databases?:
        | Readonly<Record<string, Loose<Partial<Omit<PlannedDatabase, "name" | "size">>> & { size?: Size | undefined }>>
        | undefined;
      readonly charts?: Readonly<Record<string, ChartChoice>> | undefined;
    }
  >
>;

type ChartChoice = Loose<Omit<PlannedChart, "name" | "namespace" | "secrets" | "values" | "images" | "content">> & {
  readonly images?: Readonly<Record<string, string>> | undefined;
  readonly namespace?: string | undefined;
  readonly values?: Readonly<Record<string, unknown>> | undefined;
  readonly secrets?: Readonly<Record<string, unknown>> | undefined;
};

/** Entries of `keelson:workloads` that run on clusters. */
export type AppsChoice = Readonly<
  Record<
    string,
    Loose<Pick<PlannedApp, "image" | "command" | "ready" | "volume" | "database" | "migrate" | "writable">> &
      Loose<Pick<PlannedApp, "ingress" | "route" | "after">> & {
        readonly kubernetes: string;
        readonly namespace?: string | undefined;
        readonly user?: string | undefined;
        readonly port?: number | undefined;
        readonly health?:
          | { readonly port: number; readonly path: string; readonly within?: Health["within"] | undefined }
          | undefined;
        readonly replicas?: Loose<PlannedApp["replicas"]> | undefined;
        readonly resources?: { readonly cpus?: number | undefined; readonly memory?: Size | undefined } | undefined;
        readonly environment?: Readonly<Record<string, string>> | undefined;
        readonly secrets?: Readonly<Record<string, unknown>> | undefined;
        readonly timeout?: Duration | undefined;
        readonly rollback?: boolean | undefined;
      }
  >
>;

/** What a plan takes from images of the catalogue. */
export interface ImageFacts {
  readonly health?: Health | undefined;
  readonly user: string;
}

/** The catalogue's image that a small database runs. */
export const POSTGRES = "postgres";
/** What an application asks for where nothing is said: 100 m of a processor, 256 MiB. */
const RESOURCES = { cpus: 0.1, memory: "256 MiB" } as const;
/** Where the variable is that tells an application its database: what 12-factor programs and Prisma read. */
export const DATABASE_VARIABLE = "DATABASE_URL";
/** Namespaces that every cluster has. */
const THERE = ["default", "kube-system", "kube-public", "kube-node-lease"];

/** Names of the catalogue's images that a stack's clusters run. */
export function clusterImages(clusters: ClustersChoice, apps: AppsChoice): string[] {
  const charts = Object.values(clusters).flatMap(({ charts: own }) => Object.values(own ?? {}));
  const small = Object.values(clusters).flatMap(({ databases }) =>
    Object.values(databases ?? {}).filter((database) => database.as !== "cloudnativepg"),
  );
  return [
    ...new Set([
      ...Object.values(apps).flatMap(({ image }) => (isReference(image) ? [] : [image])),
      ...charts.flatMap(({ images }) => Object.values(images ?? {})),
      ...(small.length === 0 ? [] : [POSTGRES]),
    ]),
  ].toSorted();
}

/**
 * What each cluster runs, and what is wrong with that, with the key that it stands under.
 * @param facts what images of the catalogue say of themselves, by name: a workload need not say it again
 * @param stack its name is the namespace of what names none
 * @param registry the host that images are pushed to; `embedded` for this machine's own
 * @param login whether the stack has a login of its own to that, which nodes need as well
 * @example planClusters({ lab: { lab: true } }, { api: { image: "todo-backend", kubernetes: "lab" } }, facts, "dev", "embedded")
 */
export function planClusters(
  clusters: ClustersChoice,
  apps: AppsChoice,
  facts: ReadonlyMap<string, ImageFacts>,
  stack: string,
  registry: string,
  login = false,
): { readonly clusters: readonly PlannedCluster[]; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  for (const [name, app] of Object.entries(apps))
    findings.push(...appFindings(name, app, apps, clusters, facts, stack));
  const planned = sorted(clusters).map(([name, choice]): PlannedCluster => {
    const fallback = choice.namespace ?? stack;
    const databases = sorted(choice.databases ?? {}).map(([key, d]) => planDatabase(key, d, fallback));
    const own = sorted(apps)
      .filter(([, app]) => app.kubernetes === name)
      .map(([key, app]) => planApp(key, app, fallback, facts.get(app.image)));
    const charts = sorted(choice.charts ?? {}).map(([key, chart]) => planChart(key, chart, fallback));
    const used = new Set([...databases, ...own, ...charts].map(({ namespace }) => namespace));
    const namespaces = choice.createNamespaces === false ? [] : [...used].filter((n) => !THERE.includes(n)).toSorted();
    const cluster = { name, place: placeOf(choice), namespaces, databases, apps: own, charts };
    findings.push(
      ...clusterFindings(cluster, registry),
      ...(login ? pullFindings(cluster) : []),
      ...databaseFindings(name, choice),
    );
    if (choice.namespace === undefined && used.has(stack)) findings.push(...stackNamespaceFindings(name, stack));
    return cluster;
  });
  findings.push(...circleFindings(apps));
  return { clusters: planned, findings };
}

/** Names of what runs an image of the catalogue on a cluster. */
export function runnersOf(
  image: string,
  { databases, apps, charts }: Pick<PlannedCluster, "databases" | "apps" | "charts">,
): string[] {
  return [
    ...(image === POSTGRES ? databases.filter((d) => d.as === "statefulset") : []),
    ...apps.filter((app) => app.image === image),
    ...charts.filter((chart) => Object.values(chart.images ?? {}).includes(image)),
  ].map(({ name }) => name);
}

/** Where a cluster is, for people. */
export function describePlace(place: ClusterPlace): string {
  if (place.kind === "lab") return "the lab's cluster";
  if (place.kind === "minikube") return `Minikube's profile ${place.profile}`;
  const context = place.context === undefined ? "the current context" : `context ${place.context}`;
  return place.kubeconfig === undefined ? context : `${context} of ${place.kubeconfig}`;
}

function placeOf({ context, kubeconfig, minikube, lab }: ClustersChoice[string]): ClusterPlace {
  if (lab) return { kind: "lab" };
  if (minikube !== undefined)
    return defined({
      kind: "minikube" as const,
      ...minikube,
      profile: minikube.profile ?? "minikube",
      start: minikube.start ?? true,
    }) as ClusterPlace;
  return defined({ kind: "context" as const, context, kubeconfig }) as ClusterPlace;
}

function planDatabase(
  name: string,
  choice: NonNullable<ClustersChoice[string]["databases"]>[string],
  fallback: string,
): PlannedDatabase {
  return defined({
    name,
    namespace: choice.namespace ?? fallback,
    as: choice.as ?? "statefulset",
    size: choice.size === undefined ? undefined : quantity(choice.size),
    storageClass: choice.storageClass,
    instances: choice.instances ?? 1,
  }) as PlannedDatabase;
}

function planApp(name: string, app: AppsChoice[string], fallback: string, image: ImageFacts | undefined): PlannedApp {
  const { kubernetes: _, namespace, health: own, resources, secrets, rollback, replicas, ...rest } = app;
  const health =
    own === undefined
      ? image?.health
      : { http: { port: own.port, path: own.path }, within: own.within ?? ("30 s" as const) };
  const names = Object.keys(secrets ?? {}).toSorted();
  return defined({
    name,
    namespace: namespace ?? fallback,
    ...rest,
    external: isReference(app.image) ? true : undefined,
    user: app.user ?? image?.user ?? "",
    port: app.port ?? health?.http?.port ?? 0,
    health,
    replicas: replicas ?? 1,
    resources: {
      cpu: `${Math.max(1, Math.round((resources?.cpus ?? RESOURCES.cpus) * 1000))}m`,
      memory: quantity(resources?.memory ?? RESOURCES.memory),
    },
    secrets: names.length === 0 ? undefined : names,
    rollback: rollback === true ? true : undefined,
  }) as PlannedApp;
}

function planChart(name: string, chart: ChartChoice, fallback: string): PlannedChart {
  const secrets = Object.keys(chart.secrets ?? {}).toSorted();
  return defined({
    ...chart,
    name,
    namespace: chart.namespace ?? fallback,
    secrets: secrets.length === 0 ? undefined : secrets,
  }) as PlannedChart;
}

/** A size as the API server takes it: exact, in the largest binary unit that it is a whole number of. */
function quantity(size: Size): string {
  const bytes = parseSize(size);
  for (const [unit, divisor] of [
    ["Gi", 1024 ** 3],
    ["Mi", 1024 ** 2],
    ["Ki", 1024],
  ] as const)
    if (bytes % divisor === 0) return `${bytes / divisor}${unit}`;
  return String(bytes);
}

/** A whole reference names a registry, a tag or a digest; names of the catalogue have none of these. */
function isReference(image: string): boolean {
  return /[/:@]/.test(image);
}

function appFindings(
  name: string,
  app: AppsChoice[string],
  apps: AppsChoice,
  clusters: ClustersChoice,
  facts: ReadonlyMap<string, ImageFacts>,
  stack: string,
): Finding[] {
  const key = `keelson:workloads.${name}`;
  const finding = (rule: string, subject: string, message: string, fix: string): Finding => ({
    ...{ rule: `kubernetes/${rule}`, severity: "error", subject, message, fix },
  });
  const findings: Finding[] = [];
  const target = clusters[app.kubernetes];
  const targets = Object.keys(clusters);
  if (target === undefined)
    findings.push(
      finding(
        "unknown",
        `${key}.kubernetes`,
        `"${app.kubernetes}" is no cluster of keelson:kubernetes`,
        `write one of: ${targets.toSorted().join(", ") || "(there is none)"}${hint(app.kubernetes, targets)}`,
      ),
    );
  const databases = Object.keys(target?.databases ?? {});
  if (app.database !== undefined && target !== undefined && !databases.includes(app.database))
    findings.push(
      finding(
        "unknown-database",
        `${key}.database`,
        `"${app.database}" is no database of keelson:kubernetes.${app.kubernetes}.databases`,
        `write one of: ${databases.toSorted().join(", ") || "(there is none)"}${hint(app.database, databases)}; an address of your own belongs into secrets.${DATABASE_VARIABLE}`,
      ),
    );
  const place = (choice: { readonly namespace?: string | undefined }) => choice.namespace ?? target?.namespace ?? stack;
  const database = target?.databases?.[app.database ?? ""];
  if (database !== undefined && place(database) !== place(app))
    findings.push(
      finding(
        "database-elsewhere",
        `${key}.database`,
        `its namespace can't read the secret of "${app.database}", which is in another one`,
        "give both the same namespace, or the address as a secret of the workload",
      ),
    );
  if (
    app.database !== undefined &&
    [app.environment, app.secrets].some((v) => Object.hasOwn(v ?? {}, DATABASE_VARIABLE))
  )
    findings.push(
      finding("database-twice", `${key}.database`, `${DATABASE_VARIABLE} is said twice`, "take one of them out"),
    );
  for (const variable of Object.keys(app.secrets ?? {}).filter((v) => Object.hasOwn(app.environment ?? {}, v)))
    findings.push(
      finding("variable-twice", `${key}.secrets.${variable}`, "stands in environment as well", "take one of them out"),
    );
  findings.push(...imageFindings(key, app, facts.get(app.image)));
  // Beside a cluster that is unknown, which is told, nobody knows whether it is the same.
  const isKnown = (other: string) => target !== undefined && Object.hasOwn(clusters, apps[other]?.kubernetes ?? "");
  for (const other of app.after ?? [])
    if (!Object.hasOwn(apps, other) || (isKnown(other) && apps[other]?.kubernetes !== app.kubernetes))
      findings.push(
        finding(
          "unknown-after",
          `${key}.after`,
          `"${other}" is no workload of the same cluster`,
          `write some of: ${
            Object.keys(apps)
              .filter((n) => n !== name && apps[n]?.kubernetes === app.kubernetes)
              .toSorted()
              .join(", ") || "(there is none)"
          }${hint(other, Object.keys(apps))}`,
        ),
      );
  if (typeof app.replicas === "object" && app.replicas.min > app.replicas.max)
    findings.push(
      finding("replicas", `${key}.replicas`, `min ${app.replicas.min} is above max ${app.replicas.max}`, "swap them"),
    );
  return findings;
}

/** By digest or version; with a port, and a user that is not root. */
function imageFindings(key: string, app: AppsChoice[string], image: ImageFacts | undefined): Finding[] {
  const finding = (rule: string, field: string, message: string, fix: string): Finding => ({
    ...{ rule: `kubernetes/${rule}`, severity: "error", subject: `${key}.${field}`, message, fix },
  });
  const findings: Finding[] = [];
  const isExternal = isReference(app.image);
  if (isExternal)
    try {
      workloadImage(app.image, key.replace(/^.*\./, ""));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      findings.push(finding("image", "image", error.message, error.fix));
    }
  // What is neither is told as an unknown image.
  if (image === undefined && !isExternal) return findings;
  if (app.port === undefined && (app.health ?? image?.health?.http) === undefined)
    findings.push(finding("port", "port", "nothing says which port it listens on", "write its port"));
  const user = app.user ?? image?.user;
  if (user === undefined || /^0+:|:0+$/.test(user))
    findings.push(
      finding(
        "user",
        "user",
        user === undefined ? "nothing says which user it runs as" : `user ${user} is root`,
        "write its user and group by number, such as 10001:10001",
      ),
    );
  return findings;
}

function clusterFindings({ name, place, apps, charts, databases }: PlannedCluster, registry: string): Finding[] {
  const key = `keelson:kubernetes.${name}`;
  const findings: Finding[] = [];
  const own =
    apps.some(({ external }) => external === undefined) ||
    databases.some(({ as }) => as === "statefulset") ||
    charts.some(({ images }) => Object.keys(images ?? {}).length > 0);
  if (place.kind === "context" && registry === "embedded" && own)
    findings.push({
      rule: "kubernetes/registry",
      severity: "warning",
      subject: key,
      message: "images are pushed to this machine's own registry, which another machine's nodes can't pull from",
      fix: "set keelson:registry to one that they reach",
    });
  const taken = new Map<string, string>();
  for (const [kind, all] of [
    ["database", databases],
    ["workload", apps],
    ["chart", charts],
  ] as const)
    for (const { name: own, namespace } of all) {
      const at = `${namespace}/${own}`;
      const other = taken.get(at);
      if (other === undefined) taken.set(at, kind);
      else
        findings.push({
          rule: "kubernetes/twice",
          severity: "error",
          subject: kind === "workload" ? `keelson:workloads.${own}` : `${key}.${kind}s.${own}`,
          message: `a ${other} of that name is in namespace ${namespace} already`,
          fix: "give one of them another name or namespace",
        });
    }
  for (const { name: release, values } of charts)
    for (const path of secretPaths(values))
      findings.push({
        rule: "kubernetes/secret-value",
        severity: "error",
        subject: `${key}.charts.${release}.values.${path}`,
        message: "a secret stands among values, which the plan shows",
        fix: `pulumi config set --secret --path '${key}.charts.${release}.secrets["${path}"]'`,
      });
  return findings;
}

/** Charts of other people's name pull secrets as they like: nobody but the stack can say how. */
function pullFindings({ name, place, charts }: PlannedCluster): Finding[] {
  // A Minikube's node has the images already.
  if (place.kind === "minikube") return [];
  return charts
    .filter(({ images, pullSecrets }) => Object.keys(images ?? {}).length > 0 && pullSecrets === undefined)
    .map((chart) => ({
      rule: "kubernetes/pull-secret",
      severity: "warning",
      subject: `keelson:kubernetes.${name}.charts.${chart.name}.pullSecrets`,
      message: "its pods get no login to keelson:registry, which its images are pulled from",
      fix: "write the path of the value that takes a list of { name }, such as pullSecrets: imagePullSecrets",
    }));
}

/** Paths of values that a stack's file has encrypted. */
function secretPaths(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value !== "object" || value === null) return [];
  if ("secure" in value && Object.keys(value).length === 1) return [path.join(".")];
  return Object.entries(value).flatMap(([key, inner]) => secretPaths(inner, [...path, key]));
}

/** A stack may be called what no namespace may: RFC 1123, label. */
function stackNamespaceFindings(cluster: string, stack: string): Finding[] {
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(stack)) return [];
  return [
    {
      rule: "kubernetes/namespace",
      severity: "error",
      subject: `keelson:kubernetes.${cluster}.namespace`,
      message: `the stack's name ${JSON.stringify(stack)} can't be a namespace: expected up to 63 lower case letters, digits and dashes`,
      fix: "write namespace, such as namespace: todo",
    },
  ];
}

function databaseFindings(name: string, { databases = {} }: ClustersChoice[string]): Finding[] {
  return sorted(databases).flatMap(([key, { as = "statefulset", size, instances, storageClass }]): Finding[] => {
    const subject = `keelson:kubernetes.${name}.databases.${key}`;
    const finding = (field: string, message: string, fix: string): Finding => ({
      ...{ rule: "kubernetes/database", severity: "error", subject: `${subject}.${field}`, message, fix },
    });
    if (as === "cloudnativepg")
      return size === undefined
        ? [finding("size", "CloudNativePG wants the size of its volumes", 'write one, such as "10 GiB"')]
        : [];
    return [
      ...((instances ?? 1) > 1
        ? [finding("instances", "a small database is one pod", "set as: cloudnativepg for more")]
        : []),
      ...(storageClass !== undefined && size === undefined
        ? [finding("storageClass", "without a size there is no volume", "write its size")]
        : []),
    ];
  });
}

/** Workloads that wait for each other never start. */
function circleFindings(apps: AppsChoice): Finding[] {
  const waits = (from: string, seen: readonly string[]): readonly string[] | undefined => {
    if (seen.includes(from)) return [...seen.slice(seen.indexOf(from)), from];
    for (const next of apps[from]?.after ?? []) {
      const circle = waits(next, [...seen, from]);
      if (circle !== undefined) return circle;
    }
    return undefined;
  };
  for (const name of Object.keys(apps).toSorted()) {
    const circle = waits(name, []);
    if (circle !== undefined)
      return [
        {
          rule: "kubernetes/circle",
          severity: "error",
          subject: `keelson:workloads.${circle[0]}.after`,
          message: `they wait for each other: ${circle.join(" → ")}`,
          fix: "take one of them out",
        },
      ];
  }
  return [];
}

function sorted<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
