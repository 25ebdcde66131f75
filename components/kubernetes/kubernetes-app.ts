import { CustomResource } from "@pulumi/kubernetes/apiextensions/customResource.js";
import { Deployment } from "@pulumi/kubernetes/apps/v1/deployment.js";
import { HorizontalPodAutoscaler } from "@pulumi/kubernetes/autoscaling/v2/horizontalPodAutoscaler.js";
import { Job } from "@pulumi/kubernetes/batch/v1/job.js";
import { ConfigMap } from "@pulumi/kubernetes/core/v1/configMap.js";
import { Secret } from "@pulumi/kubernetes/core/v1/secret.js";
import { Service } from "@pulumi/kubernetes/core/v1/service.js";
import { ServiceAccount } from "@pulumi/kubernetes/core/v1/serviceAccount.js";
import { Ingress } from "@pulumi/kubernetes/networking/v1/ingress.js";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1/networkPolicy.js";
import { PodDisruptionBudget } from "@pulumi/kubernetes/policy/v1/podDisruptionBudget.js";
import type { input } from "@pulumi/kubernetes/types/index.js";
import * as pulumi from "@pulumi/pulumi";
import { UserError } from "../../core/error.ts";
import type { Health } from "../../core/image.ts";
import type { AppIngress, AppRoute } from "../../core/kubernetes/entrance.ts";
import { probesOf } from "../../core/kubernetes/probes.ts";
import { REPLICAS_STAY } from "../../core/kubernetes/replicas.ts";
import { ROLLBACK } from "../../core/kubernetes/rollback.ts";
import { workloadImage } from "../../core/kubernetes/workload-image.ts";
import { type PullLogin, pullSecret } from "./pull-secret.ts";

export interface KubernetesAppArgs {
  readonly namespace: pulumi.Input<string>;
  /** By digest, or by a version; `latest` is an error. */
  readonly image: pulumi.Input<string>;
  /** The image's own; probes follow from it. */
  readonly health?: Health;
  /** Path that says whether requests can be served, where it is not the health's own. @example "/ready" */
  readonly ready?: string;
  /** `uid:gid` of the image. */
  readonly user: string;
  /** Port of the container; the Service has it as well. */
  readonly port: number;
  /** A number, or bounds between which the load of processors decides (percent of what is asked for; default 70). */
  readonly replicas?: number | { readonly min: number; readonly max: number; readonly cpu?: number };
  /** What a pod asks for, and may not go beyond: memory both, processors only the first, since a limit slows for nothing. */
  readonly resources: { readonly cpu: string; readonly memory: string };
  /** Variables that anybody may read: a ConfigMap. */
  readonly config?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Variables that nobody may: a Secret. */
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Variables from Secrets that others keep, such as a database's. */
  readonly secretRefs?: Readonly<Record<string, { readonly name: pulumi.Input<string>; readonly key: string }>>;
  /** In place of the image's own command line. */
  readonly command?: readonly string[];
  /** Directories that the program writes to, beside /tmp; gone with the pod. */
  readonly writable?: readonly string[];
  /** Runs once with the new image before any of its pods, and has to end well. @example ["python3", "-m", "todo.migrate"] */
  readonly migrate?: readonly string[];
  /** Login of the image's registry. */
  readonly pull?: PullLogin;
  readonly ingress?: AppIngress;
  readonly route?: AppRoute;
  /** Seconds that a new version may take until it serves. Default: 600, Kubernetes' own. */
  readonly timeout?: number;
  /** Puts the version before back where a rollout fails, and fails all the same; keelson's own provider does. Default: false. */
  readonly rollback?: boolean;
}

/** Where a pod may write without being told. */
const TMP = "/tmp";
/** Seconds between a pod's leaving the Service and its SIGTERM: whoever still has its address is served. */
const LEAVE = 5;
/** A migration's time in seconds, before it counts as failed. */
const MIGRATION = 600;

/**
 * An application on Kubernetes, under the restricted Pod Security standard: its Deployment and Service, its settings, a
 * migration before each new version, and what keeps it up. Pods of the version before serve until those of the new one are
 * ready. A change of settings is a new version, too.
 * @example
 * new KubernetesApp("todo-backend", {
 *   namespace: "todo", image: image.ref, health: { http: { port: 8000, path: "/health" }, within: "30 s" }, ready: "/ready",
 *   user: "10001:10001", port: 8000, resources: { cpu: "100m", memory: "128Mi" },
 *   secrets: { DATABASE_URL: url }, migrate: ["python3", "-m", "todo.migrate"],
 * });
 * @throws UserError for an image that changes under its name, and for a user that is root
 */
export class KubernetesApp extends pulumi.ComponentResource {
  readonly deployment: Deployment;
  readonly service: Service;
  /** Inside of the cluster. @example "http://todo-backend.todo.svc:8000" */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: KubernetesAppArgs, options?: pulumi.ComponentResourceOptions) {
    super("keelson:kubernetes:KubernetesApp", name, {}, options);
    const child = { parent: this };
    const app = parts(name, args, child);
    const metadata = { name, namespace: args.namespace, labels: app.labels };
    const scaled = typeof args.replicas === "object" ? args.replicas : undefined;
    const migration = args.migrate === undefined ? [] : [migrationJob(name, args, app, args.migrate, child)];
    const annotations = {
      ...(args.rollback === true ? { [ROLLBACK]: "true" } : {}),
      ...(scaled === undefined ? {} : { [REPLICAS_STAY]: "true" }),
    };
    this.deployment = new Deployment(
      name,
      {
        metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations },
        spec: {
          // With an autoscaler the number is its own; until it says one, that of before stays.
          ...(scaled === undefined ? { replicas: args.replicas === undefined ? 1 : (args.replicas as number) } : {}),
          revisionHistoryLimit: 3,
          ...(args.timeout === undefined ? {} : { progressDeadlineSeconds: args.timeout }),
          selector: { matchLabels: app.selector },
          strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
          template: { metadata: { labels: app.labels }, spec: appPod(name, args, app) },
        },
      },
      {
        ...child,
        dependsOn: migration,
        ...(args.timeout === undefined ? {} : { customTimeouts: patience(args.timeout) }),
      },
    );
    const ports = [{ name: "http", port: args.port, targetPort: "http" }];
    // The Deployment is what says whether it serves: a Service beside one that can't would be waited for, ten minutes long.
    const unawaited = { ...metadata, annotations: { "pulumi.com/skipAwait": "true" } };
    this.service = new Service(name, { metadata: unawaited, spec: { selector: app.selector, ports } }, child);
    new NetworkPolicy(name, { metadata, spec: policy(args, app) }, child);
    // One at a time: a node that is emptied waits for the replacement, and not for ever where it never comes.
    const budget = {
      selector: { matchLabels: app.selector },
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: "AlwaysAllow",
    };
    new PodDisruptionBudget(name, { metadata, spec: budget }, child);
    if (scaled !== undefined) new HorizontalPodAutoscaler(name, { metadata, spec: autoscaler(name, scaled) }, child);
    if (args.ingress !== undefined) new Ingress(name, { metadata, spec: ingress(name, args.ingress) }, child);
    if (args.route !== undefined) httpRoute(name, args, args.route, metadata, child);
    this.url = pulumi.interpolate`http://${name}.${args.namespace}.svc:${args.port}`;
    this.registerOutputs({ url: this.url });
  }
}

/** Seconds that the engine waits beyond Kubernetes' own deadline, which says more of why. */
const AFTER_DEADLINE = 30;

function patience(timeout: number): pulumi.CustomTimeouts {
  const most = `${timeout + AFTER_DEADLINE}s`;
  return { create: most, update: most };
}

/** What pods of the application share. */
interface AppParts {
  readonly labels: Readonly<Record<string, string>>;
  readonly selector: Readonly<Record<string, string>>;
  readonly image: pulumi.Output<string>;
  readonly account: ServiceAccount;
  readonly envFrom: input.core.v1.EnvFromSource[];
  readonly security: input.core.v1.PodSecurityContext;
}

function parts(name: string, args: KubernetesAppArgs, child: pulumi.CustomResourceOptions): AppParts {
  const { namespace } = args;
  const selector = { "app.kubernetes.io/name": name };
  const labels = { ...selector, "app.kubernetes.io/managed-by": "keelson" };
  if (typeof args.image === "string") workloadImage(args.image, name);
  const pull = args.pull === undefined ? [] : [pullSecret(name, namespace, args.pull, child)];
  const account = new ServiceAccount(
    name,
    {
      metadata: { name, namespace, labels },
      automountServiceAccountToken: false,
      imagePullSecrets: pull.map((secret) => ({ name: secret.metadata.name })),
    },
    child,
  );
  // Without a name of their own and immutable: another content is another object, which makes pods anew.
  const own = { metadata: { namespace, labels }, immutable: true };
  const envFrom: input.core.v1.EnvFromSource[] = [];
  if (args.config !== undefined) {
    const config = new ConfigMap(`${name}-config`, { ...own, data: args.config }, child);
    envFrom.push({ configMapRef: { name: config.metadata.name } });
  }
  if (args.secrets !== undefined) {
    const stringData = pulumi.secret(pulumi.output(args.secrets));
    const secret = new Secret(`${name}-secrets`, { ...own, stringData }, child);
    envFrom.push({ secretRef: { name: secret.metadata.name } });
  }
  const image = pulumi.output(args.image).apply((ref) => workloadImage(ref, name));
  return { labels, selector, image, account, envFrom, security: securityOf(name, args.user) };
}

function securityOf(name: string, user: string): input.core.v1.PodSecurityContext {
  const [uid = Number.NaN, gid = Number.NaN] = user.split(":").map(Number);
  if (!(uid > 0 && gid > 0))
    throw new UserError(`${name}: user ${user} is root, or no uid:gid`, "write the image's user, such as 10001:10001");
  return {
    runAsNonRoot: true,
    runAsUser: uid,
    runAsGroup: gid,
    fsGroup: gid,
    seccompProfile: { type: "RuntimeDefault" },
  };
}

function container(name: string, args: KubernetesAppArgs, app: AppParts): input.core.v1.Container {
  const { cpu, memory } = args.resources;
  return {
    name,
    image: app.image,
    envFrom: app.envFrom,
    ...(args.secretRefs === undefined ? {} : { env: variables(args.secretRefs) }),
    resources: { requests: { cpu, memory }, limits: { memory } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: writable(args).map((mountPath, i) => ({ name: `scratch-${i}`, mountPath })),
  };
}

function variables(refs: NonNullable<KubernetesAppArgs["secretRefs"]>): input.core.v1.EnvVar[] {
  return Object.entries(refs).map(([name, secretKeyRef]) => ({ name, valueFrom: { secretKeyRef } }));
}

function writable(args: KubernetesAppArgs): string[] {
  return [TMP, ...(args.writable ?? [])];
}

function pod(args: KubernetesAppArgs, app: AppParts): Omit<input.core.v1.PodSpec, "containers"> {
  return {
    serviceAccountName: app.account.metadata.name,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: app.security,
    volumes: writable(args).map((_, i) => ({ name: `scratch-${i}`, emptyDir: {} })),
  };
}

function appPod(name: string, args: KubernetesAppArgs, app: AppParts): input.core.v1.PodSpec {
  return {
    ...pod(args, app),
    terminationGracePeriodSeconds: 30,
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: app.selector },
        matchLabelKeys: ["pod-template-hash"],
      },
    ],
    containers: [
      {
        ...container(name, args, app),
        ...(args.command === undefined ? {} : { args: [...args.command] }),
        ports: [{ name: "http", containerPort: args.port }],
        ...probesOf(args.health, args.ready),
        // The kubelet's own sleep: an image needs no shell for it.
        lifecycle: { preStop: { sleep: { seconds: LEAVE } } },
      },
    ],
  };
}

/** The migration of one version; another image or other settings are another Job, and the old one goes. */
function migrationJob(
  name: string,
  args: KubernetesAppArgs,
  app: AppParts,
  command: readonly string[],
  child: pulumi.CustomResourceOptions,
): Job {
  const labels = { ...app.labels, "app.kubernetes.io/name": `${name}-migration` };
  return new Job(
    `${name}-migration`,
    {
      // One that failed is run again by the next up, and not looked at again.
      metadata: { namespace: args.namespace, labels, annotations: { "pulumi.com/replaceUnready": "true" } },
      spec: {
        backoffLimit: 2,
        activeDeadlineSeconds: MIGRATION,
        template: {
          metadata: { labels },
          spec: {
            ...pod(args, app),
            restartPolicy: "Never",
            containers: [{ ...container("migration", args, app), command: [...command] }],
          },
        },
      },
    },
    // Its own deadline says more of why.
    { ...child, customTimeouts: patience(MIGRATION) },
  );
}

/** Its own port, from its own namespace, and from the controller of its ingress or Gateway where there is one. */
function policy(
  { port, ingress, route }: KubernetesAppArgs,
  { selector }: AppParts,
): input.networking.v1.NetworkPolicySpec {
  const outside = [ingress?.controllerNamespace, route?.gatewayNamespace].filter((name) => name !== undefined);
  const controllers = [...new Set(outside)].map((name) => ({
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
  }));
  return {
    podSelector: { matchLabels: selector },
    policyTypes: ["Ingress"],
    ingress: [{ from: [{ podSelector: {} }, ...controllers], ports: [{ port }] }],
  };
}

function autoscaler(
  name: string,
  { min, max, cpu = 70 }: { readonly min: number; readonly max: number; readonly cpu?: number },
): input.autoscaling.v2.HorizontalPodAutoscalerSpec {
  return {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
    minReplicas: min,
    maxReplicas: max,
    metrics: [
      { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: cpu } } },
    ],
  };
}

function ingress(
  name: string,
  { host, className, tlsSecret }: NonNullable<KubernetesAppArgs["ingress"]>,
): input.networking.v1.IngressSpec {
  const backend = { service: { name, port: { name: "http" } } };
  return {
    ...(className === undefined ? {} : { ingressClassName: className }),
    rules: [{ host, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }],
    ...(tlsSecret === undefined ? {} : { tls: [{ hosts: [host], secretName: tlsSecret }] }),
  };
}

/** What the Gateway's controller says of a route that it serves (Gateway API v1, RouteConditionType); others may have said theirs. */
function accepted(gateway: string): string {
  const parent = `.status.parents[?(@.parentRef.name=="${gateway}")]`;
  return JSON.stringify(
    ["Accepted", "ResolvedRefs"].map((type) => `jsonpath={${parent}.conditions[?(@.type=="${type}")].status}=True`),
  );
}

/** Gateway API v1, HTTPRoute: the cluster has to have its definitions. */
function httpRoute(
  name: string,
  { port }: KubernetesAppArgs,
  { host, gateway, gatewayNamespace, section }: NonNullable<KubernetesAppArgs["route"]>,
  metadata: input.meta.v1.ObjectMeta,
  child: pulumi.CustomResourceOptions,
): CustomResource {
  const parent = {
    name: gateway,
    namespace: gatewayNamespace,
    ...(section === undefined ? {} : { sectionName: section }),
  };
  const spec = { parentRefs: [parent], hostnames: [host], rules: [{ backendRefs: [{ name, port }] }] };
  return new CustomResource(
    name,
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { ...metadata, annotations: { "pulumi.com/waitFor": accepted(gateway) } },
      spec,
    },
    child,
  );
}
