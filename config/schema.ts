import { z } from "zod";
import { PLATFORMS } from "../core/platform.ts";
import { CLOUDFLARE_KEYS, cloudflareSchema } from "./cloudflare.ts";
import { HOST_KEYS, hostsSchema } from "./hosts.ts";
import { KUBERNETES_KEYS, kubernetesSchema } from "./kubernetes.ts";
import { cudaArchsSchema, cudaTrackSchema, MACHINE_KEYS, machineSchema } from "./machine.ts";
import { SCAN_KEYS, scanSchema } from "./scan.ts";
import { SOURCE_KEYS, sourcesSchema } from "./sources.ts";
import { WHEELHOUSE_KEYS, wheelhouseSchema } from "./wheelhouse.ts";
import { WORKLOAD_KEYS, workloadsSchema } from "./workloads.ts";

const name = z.string().regex(/^[a-z0-9]+(?:[._-][a-z0-9]+)*$/, "lower case letters, digits, and single . _ - between");
/** A secret as it stands in a stack's file; its value is asked of Pulumi by the component that needs it. */
const secret = z.object({ secure: z.string() }, { error: "expected a secret" }).strict();
const platform = z.enum(PLATFORMS);

/** `keelson:registry`: where images are pushed. */
const registrySchema = z.union([
  z.literal("embedded"),
  z
    .object({
      host: z.string().regex(/^[a-z0-9.-]+(?::\d{1,5})?$/i, "a host name with an optional port, without https://"),
      prefix: z
        .string()
        .regex(/^[a-z0-9]+(?:[._/-][a-z0-9]+)*$/, "repository path in lower case, such as acme/keelson")
        .optional(),
      username: z.string().min(1).optional(),
      password: secret.optional(),
    })
    .strict(),
]);

const node = z
  .object({
    name,
    address: z
      .string()
      .regex(/^(?:unix|tcp|ssh|docker-container|kube-pod):\/\/\S+$/, "a BuildKit address such as tcp://10.0.0.2:1234"),
    platforms: z.array(platform).min(1),
    tls: z
      .object({
        ca: z.string().min(1).optional(),
        certificate: z.string().min(1).optional(),
        key: z.string().min(1).optional(),
        serverName: z.string().min(1).optional(),
      })
      .strict()
      .optional(),
  })
  .strict();

const imageReference = z
  .string()
  .regex(/^[a-z0-9.-]+(?::\d{1,5})?\/\S+$/, "an image such as ghcr.io/acme/buildkit:v0.31.0");

/** `keelson:builder`: who builds. */
const builderSchema = z.union([
  z.enum(["auto", "embedded", "docker"]),
  z.object({ docker: z.object({ image: imageReference.optional() }).strict() }).strict(),
  z.object({ remote: z.object({ nodes: z.array(node).min(1) }).strict() }).strict(),
  z
    .object({
      kubernetes: z
        .object({
          context: z.string().min(1).optional(),
          namespace: name.optional(),
          replicas: z.int().min(1).max(100).default(1),
          platforms: z.array(platform).min(1).optional(),
          image: imageReference.optional(),
        })
        .strict(),
    })
    .strict(),
]);

const severity = z.enum(["error", "warning", "info", "off"]);

/** `keelson:gates`: severity of a rule, and what is allowed in spite of it. */
const gatesSchema = z
  .object({
    severity: z.record(z.string(), severity).default({}),
    allow: z
      .array(z.object({ rule: z.string().min(1), subject: z.string().min(1), reason: z.string().min(1) }).strict())
      .default([]),
  })
  .strict();

/** `keelson:gateway`: what a stack's gateways are. */
const gatewaySchema = z
  .object({
    identity: z
      .string()
      .regex(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[^\\]+$/, "a directory inside the project, such as stacks/prod/identity")
      .optional(),
    /** The image that `up` runs on this machine. Default: none. */
    run: name.optional(),
  })
  .strict();

/** A key that may be left out. Pulumi.yaml must give every key a default: its empty text or list stands for no value. */
function unset<T extends z.ZodType>(schema: T) {
  const isEmpty = (value: unknown) => value === "" || (Array.isArray(value) && value.length === 0);
  return z.preprocess((value) => (isEmpty(value) ? undefined : value), schema.optional());
}

/** All of a stack's `keelson:` config; each key is described in Pulumi.yaml. */
export const stackSchema = z
  .object({
    registry: registrySchema.default("embedded"),
    builder: builderSchema.default("auto"),
    images: z.array(name).default([]),
    platforms: unset(z.array(platform)),
    imageResource: z.enum(["keelson", "docker-build"]).default("keelson"),
    bases: z.enum(["auto", "upstream", "bootstrapped"]).default("auto"),
    cache: z.enum(["none", "registry", "gha"]).default("none"),
    gates: gatesSchema.default({ severity: {}, allow: [] }),
    scan: scanSchema,
    machine: unset(machineSchema),
    gateway: unset(gatewaySchema),
    cudaArchs: unset(cudaArchsSchema),
    cudaTrack: cudaTrackSchema.default("auto"),
    services: unset(z.array(z.string().min(1))),
    families: z.record(z.string(), z.string()).default({}),
    sources: sourcesSchema.default({}),
    wheelhouse: unset(wheelhouseSchema),
    /** Read by config/volumes.ts, which only stacks that have some load. */
    volumes: z.record(z.string(), z.unknown()).default({}),
    hosts: hostsSchema.default({}),
    kubernetes: kubernetesSchema.default({}),
    workloads: workloadsSchema.default({}),
    cloudflare: cloudflareSchema.default({}),
  })
  .strict();

/** Namespaces that a stack's config may have keys in: the project's own, the engine's, and its providers'. */
export const NAMESPACES: readonly string[] = [
  "keelson",
  "pulumi",
  "cloudflare",
  "command",
  "docker-build",
  "kubernetes",
];

export type StackConfig = z.infer<typeof stackSchema>;

/** The keys that each object of the config takes, by its path, `*` for any name or list position: for hints in messages. */
export const KNOWN_KEYS: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys(stackSchema.shape),
  registry: ["host", "prefix", "username", "password"],
  builder: ["docker", "remote", "kubernetes"],
  "builder.docker": ["image"],
  "builder.remote": ["nodes"],
  "builder.remote.nodes.*": ["name", "address", "platforms", "tls"],
  "builder.remote.nodes.*.tls": ["ca", "certificate", "key", "serverName"],
  "builder.kubernetes": ["context", "namespace", "replicas", "platforms", "image"],
  gates: ["severity", "allow"],
  gateway: ["identity", "run"],
  "gates.allow.*": ["rule", "subject", "reason"],
  machine: MACHINE_KEYS,
  "sources.*": SOURCE_KEYS,
  wheelhouse: WHEELHOUSE_KEYS,
  "volumes.*": [
    ...["abortUploadsAfter", "access", "accessKeyId", "account", "backend", "bucket", "cors", "endpoint", "expire"],
    ...["jurisdiction", "location", "lock", "prefix", "region", "retain", "secret", "storageClass"],
  ],
  ...CLOUDFLARE_KEYS,
  ...HOST_KEYS,
  ...KUBERNETES_KEYS,
  ...SCAN_KEYS,
  ...WORKLOAD_KEYS,
};
