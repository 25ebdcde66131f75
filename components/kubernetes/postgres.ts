import { randomBytes } from "node:crypto";
import { CustomResource } from "@pulumi/kubernetes/apiextensions/customResource.js";
import { StatefulSet } from "@pulumi/kubernetes/apps/v1/statefulSet.js";
import { Secret } from "@pulumi/kubernetes/core/v1/secret.js";
import { Service } from "@pulumi/kubernetes/core/v1/service.js";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1/networkPolicy.js";
import type { input } from "@pulumi/kubernetes/types/index.js";
import * as pulumi from "@pulumi/pulumi";
import type { PlannedDatabase } from "../../core/cluster-plan.ts";
import { KEEPS_DATA } from "../../core/kubernetes/keeps-data.ts";
import { probesOf } from "../../core/kubernetes/probes.ts";
import { type PullLogin, pullSecret } from "./pull-secret.ts";

export interface PostgresArgs {
  readonly database: PlannedDatabase;
  /** The catalogue's `postgres`, by digest; CloudNativePG brings its own. */
  readonly image?: pulumi.Input<string> | undefined;
  /** `uid:gid` of that image. */
  readonly user?: string | undefined;
  /** Login of that image's registry. */
  readonly pull?: PullLogin | undefined;
}

const PORT = 5432;
/** Where the catalogue's image keeps its data. */
const DATA = "/data";

/**
 * A PostgreSQL with one database of its own name, whose address is in a Secret: for an application in the same namespace.
 * Small (`statefulset`) it is one pod of the catalogue's image; else it is a Cluster of the operator CloudNativePG, which
 * has to be there. The small one's password is made once, and stays: it is neither in the program nor in the stack's file.
 * @example new Postgres("todo", { database: { name: "todo", namespace: "todo", as: "statefulset", instances: 1 }, image, user: "10001:10001" })
 */
export class Postgres extends pulumi.ComponentResource {
  /** Where its address is. @example { name: "todo-address", key: "uri" } */
  readonly address: { readonly name: pulumi.Output<string>; readonly key: "uri" };
  /** What is refused first where the database would move, and leave its data: whatever would move with it waits for this. */
  readonly stays: pulumi.Resource | undefined;

  constructor(name: string, args: PostgresArgs, options?: pulumi.ComponentResourceOptions) {
    super("keelson:kubernetes:Postgres", name, {}, options);
    const child = { parent: this };
    const secret = args.database.as === "statefulset" ? passwordOf(name, args.database, child) : undefined;
    this.stays = secret;
    const address =
      secret === undefined ? operated(name, args, child) : small(name, args, secret, { ...child, dependsOn: [secret] });
    this.address = { name: address, key: "uri" };
    this.registerOutputs({ address: this.address });
  }
}

/** CloudNativePG, v1: the application's database, user and Secret (`<cluster>-app`) are made by it. */
function operated(
  resource: string,
  { database }: PostgresArgs,
  child: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const { name, namespace, instances, size, storageClass } = database;
  const cluster = new CustomResource(
    resource,
    {
      apiVersion: "postgresql.cnpg.io/v1",
      kind: "Cluster",
      // Its Secret, which applications start with, comes with the first instance.
      metadata: { name, namespace, annotations: { "pulumi.com/waitFor": "condition=Ready" } },
      spec: {
        instances,
        bootstrap: { initdb: { database: sqlName(name), owner: sqlName(name) } },
        storage: { size, ...(storageClass === undefined ? {} : { storageClass }) },
      },
    },
    { ...child, retainOnDelete: true },
  );
  return cluster.metadata.apply((metadata) => `${metadata.name ?? name}-app`);
}

/** What the small one starts with. */
function passwordOf(
  resource: string,
  { name, namespace }: PlannedDatabase,
  child: pulumi.CustomResourceOptions,
): Secret {
  // What it opens stays where it is: so does it.
  const annotations = { [KEEPS_DATA]: name };
  return new Secret(
    `${resource}-postgres`,
    {
      metadata: { name: `${name}-postgres`, namespace, labels: labelsOf(name), annotations },
      data: pulumi.secret(base64(credentials(name))),
    },
    // A second run would make another password: the first one's stays.
    { ...child, ignoreChanges: ["data"], additionalSecretOutputs: ["data"] },
  );
}

function labelsOf(name: string): Record<string, string> {
  return { "app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "keelson" };
}

function small(
  resource: string,
  args: PostgresArgs,
  secret: Secret,
  child: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const { name, namespace, size, storageClass } = args.database;
  const labels = labelsOf(name);
  const selector = { "app.kubernetes.io/name": name };
  const metadata = { name, namespace, labels };
  // Where it is may change, and stands in a Secret whose changes count.
  const uri = pulumi.secret(secret.data).apply(({ POSTGRES_PASSWORD: password = "" }) => ({
    uri: addressOf(name, namespace, Buffer.from(password, "base64").toString()),
  }));
  const address = new Secret(
    `${resource}-address`,
    { metadata: { ...metadata, name: `${name}-address` }, data: uri.apply(base64) },
    { ...child, additionalSecretOutputs: ["data"] },
  );
  const [uid = Number.NaN, gid = Number.NaN] = (args.user ?? "").split(":").map(Number);
  const pull = args.pull === undefined ? undefined : pullSecret(resource, namespace, args.pull, child);
  const volume = [
    { name: "data", mountPath: DATA },
    { name: "scratch", mountPath: "/tmp" },
  ];
  const spec: input.apps.v1.StatefulSetSpec = {
    serviceName: name,
    replicas: 1,
    // Else a pod that isn't ready is never replaced by one of a corrected version (kubernetes/kubernetes#67250).
    podManagementPolicy: "Parallel",
    selector: { matchLabels: selector },
    template: {
      metadata: { labels },
      spec: {
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        ...(pull === undefined ? {} : { imagePullSecrets: [{ name: pull.metadata.name }] }),
        securityContext: {
          runAsNonRoot: true,
          runAsUser: uid,
          runAsGroup: gid,
          fsGroup: gid,
          seccompProfile: { type: "RuntimeDefault" },
        },
        terminationGracePeriodSeconds: 60,
        containers: [
          {
            name: "postgres",
            image: args.image ?? "",
            envFrom: [{ secretRef: { name: secret.metadata.name } }],
            ports: [{ name: "postgres", containerPort: PORT }],
            resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "256Mi" } },
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"] },
            },
            ...probesOf({ command: ["pg_isready", "-q", "-h", "127.0.0.1"], within: "60 s" }),
            volumeMounts: volume,
          },
        ],
        volumes: [{ name: "scratch", emptyDir: {} }, ...(size === undefined ? [{ name: "data", emptyDir: {} }] : [])],
      },
    },
    ...(size === undefined ? {} : { volumeClaimTemplates: [claim(size, storageClass)] }),
  };
  // What is there under another policy keeps it: Kubernetes changes none, and to make the set anew would stop the database.
  const kept = { ...metadata, annotations: { [KEEPS_DATA]: "true" } };
  const set = new StatefulSet(
    resource,
    { metadata: kept, spec },
    { ...child, ignoreChanges: ["spec.podManagementPolicy"] },
  );
  const ports = [{ name: "postgres", port: PORT, targetPort: "postgres" }];
  new Service(resource, { metadata, spec: { clusterIP: "None", selector, ports } }, child);
  const from = [{ podSelector: {} }];
  new NetworkPolicy(
    resource,
    {
      metadata,
      spec: {
        podSelector: { matchLabels: selector },
        policyTypes: ["Ingress"],
        ingress: [{ from, ports: [{ port: PORT }] }],
      },
    },
    child,
  );
  // Who has the address waits for the database.
  return pulumi.all([address.metadata, set.id]).apply(([{ name: own }]) => own);
}

function claim(size: string, storageClassName: string | undefined): input.core.v1.PersistentVolumeClaim {
  return {
    metadata: { name: "data" },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: size } },
      ...(storageClassName === undefined ? {} : { storageClassName }),
    },
  };
}

/** What the image's start reads. */
function credentials(name: string): Record<string, string> {
  const user = sqlName(name);
  return { POSTGRES_USER: user, POSTGRES_DB: user, POSTGRES_PASSWORD: randomBytes(24).toString("hex") };
}

/** For applications. */
function addressOf(name: string, namespace: string, password: string): string {
  const user = sqlName(name);
  return `postgresql://${user}:${password}@${name}.${namespace}.svc:${PORT}/${user}`;
}

/** A Secret's data as the API server gives it back. */
function base64(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]));
}

/** A name that SQL takes without quotes. */
function sqlName(name: string): string {
  return name.replaceAll("-", "_");
}
