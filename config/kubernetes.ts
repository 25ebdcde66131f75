import { z } from "zod";
import { NAME } from "../core/host/service.ts";
import {
  cpus,
  memory,
  patience,
  port,
  secret,
  sizeFrom,
  user,
  variable,
  volumeSize,
  whole,
} from "./workload-values.ts";

const name = z.string().regex(NAME, "1 to 40 lower case letters, digits and dashes");
/** RFC 1123, label: what the API server takes for a namespace. */
const namespace = z
  .string()
  .max(63)
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, "a namespace: lower case letters, digits and dashes");
const host = z.string().regex(/^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/, "a host name such as todo.acme.io");

/** A folder that gets a volume of its own: on the root there would be no image left, and /tmp has one. */
const folder = z
  .string()
  .regex(
    /^\/(?!\/*$|tmp\/*$)(?!.*(?:^|\/)\.\.?(?:\/|$))/,
    "a whole path of a folder, not / nor /tmp, without . and ..",
  );

/** A node of Minikube's: `minikube start` gets what stands here. */
const minikubeSchema = z
  .object({
    /** Default: minikube. It is also the context's name. */
    profile: name.optional(),
    /** Whether it may be started where it does not run. Default: true. */
    start: z.boolean().optional(),
    driver: z.string().min(1).optional(),
    /** Of which minikube takes no less. */
    cpus: whole(2, 1024).optional(),
    memory: sizeFrom("1 GiB", "16384 GiB").optional(),
    gpus: z.enum(["all", "nvidia", "amd"]).optional(),
  })
  .strict();

const databaseSchema = z
  .object({
    namespace: namespace.optional(),
    /** `statefulset`: one small PostgreSQL of the catalogue. `cloudnativepg`: a Cluster for the operator of that name. */
    as: z.enum(["statefulset", "cloudnativepg"]).optional(),
    /** Of its volume; without, data is the pod's and gone with it (statefulset alone). */
    size: volumeSize.optional(),
    storageClass: z.string().min(1).optional(),
    /** Of CloudNativePG's. */
    instances: whole(1, 20).optional(),
  })
  .strict();

const chartSchema = z
  .object({
    /** A folder of the project, a name in `repository`, or oci://…. */
    chart: z.string().min(1),
    version: z.string().min(1).optional(),
    repository: z.url({ protocol: /^https?$/ }).optional(),
    namespace: namespace.optional(),
    values: z.record(z.string(), z.unknown()).optional(),
    /** By the path of a value: the image of the catalogue whose reference, by digest, it becomes. */
    images: z.record(z.string().regex(/^[\w-]+(?:\.[\w-]+)*$/, "a path such as backend.image"), z.string()).optional(),
    /** The path of the value that takes pull secrets by name, `[{ name }]`: it gets the registry's login. */
    pullSecrets: z
      .string()
      .regex(/^[\w-]+(?:\.[\w-]+)*$/, "a path such as imagePullSecrets")
      .optional(),
    /** By the path of a value. */
    secrets: z.record(z.string().regex(/^[\w-]+(?:\.[\w-]+)*$/, "a path such as auth.password"), secret).optional(),
    timeout: patience.optional(),
  })
  .strict();

const WHERE = ["context", "kubeconfig", "minikube", "lab"] as const;

const targetSchema = z
  .object({
    context: z.string().min(1).optional(),
    /** Path, relative to the project. Default: kubectl's own rules. */
    kubeconfig: z.string().min(1).optional(),
    minikube: minikubeSchema.optional(),
    lab: z.literal(true).optional(),
    /** Of workloads that name none. Default: the stack's name. */
    namespace: namespace.optional(),
    /** Whether namespaces are made, under the restricted Pod Security standard. Default: true. */
    createNamespaces: z.boolean().optional(),
    databases: z.record(name, databaseSchema).optional(),
    charts: z.record(name, chartSchema).optional(),
  })
  .strict()
  .refine(
    ({ context, kubeconfig, minikube, lab }) =>
      [context ?? kubeconfig, minikube, lab].filter((where) => where !== undefined).length === 1,
    { error: `one of ${WHERE.join(", ")} (a context may stand beside its kubeconfig)` },
  );

/** `keelson:kubernetes`: clusters by a name of the stack's own, and what they run beside workloads. */
export const kubernetesSchema = z.record(name, targetSchema);

/** An entry of `keelson:workloads` that runs on a cluster. */
export const appSchema = z
  .object({
    /** Of the catalogue, or any other by digest or version. */
    image: z.string().min(1),
    /** Name in `keelson:kubernetes`. */
    kubernetes: name,
    namespace: namespace.optional(),
    command: z.array(z.string()).min(1).optional(),
    user: user.optional(),
    port: port.optional(),
    health: z
      .object({ port, path: z.string().startsWith("/"), within: patience.optional() })
      .strict()
      .optional(),
    ready: z.string().startsWith("/").optional(),
    replicas: z
      .union([
        whole(0, 1000),
        z
          .object({
            min: whole(1, 1000),
            max: whole(1, 1000),
            cpu: whole(1, 100).optional(),
          })
          .strict(),
      ])
      .optional(),
    resources: z.object({ cpus: cpus.optional(), memory: memory.optional() }).strict().optional(),
    environment: z.record(variable, z.string()).optional(),
    secrets: z.record(variable, secret).optional(),
    /** Of `keelson:volumes`: its settings for the tool loader, in a Secret. */
    volume: name.optional(),
    /** Name in the target's `databases`: its address becomes DATABASE_URL. */
    database: name.optional(),
    migrate: z.array(z.string()).min(1).optional(),
    writable: z.array(folder).optional(),
    ingress: z
      .object({
        host,
        className: z.string().min(1).optional(),
        tlsSecret: z.string().min(1).optional(),
        controllerNamespace: namespace,
      })
      .strict()
      .optional(),
    route: z
      .object({
        host,
        gateway: z.string().min(1),
        gatewayNamespace: namespace,
        section: z.string().min(1).optional(),
      })
      .strict()
      .optional(),
    /** Workloads of the same cluster that have to serve before. */
    after: z.array(name).optional(),
    /** Until a new version serves. Default: Kubernetes' 10 min. */
    timeout: patience.optional(),
    /** Whether a version that does not come up makes room for the one before. Default: false. */
    rollback: z.boolean().optional(),
  })
  .strict();

export type KubernetesConfig = z.infer<typeof kubernetesSchema>;
export type AppsConfig = Readonly<Record<string, z.infer<typeof appSchema>>>;

/** The keys of each object above, for hints. */
export const KUBERNETES_KEYS: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.*": Object.keys(targetSchema.shape),
  "kubernetes.*.minikube": Object.keys(minikubeSchema.shape),
  "kubernetes.*.databases.*": Object.keys(databaseSchema.shape),
  "kubernetes.*.charts.*": Object.keys(chartSchema.shape),
};
