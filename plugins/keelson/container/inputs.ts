import { z } from "zod";
import { areSteps, INSTANCE_TYPES, LEAST_STEP } from "../../../core/cloudflare/instance-types.ts";

const SEGMENT = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const ACCOUNT = z.string().regex(/^[0-9a-f]{32}$/, "an account's id, 32 hex digits");
const CLASS = z.string().regex(/^[A-Za-z_$][\w$]*$/, "the name of a class");

/** Inputs of `keelson:index:WorkerClass`; components/cloudflare/worker-class.ts describes them. */
export const workerClassInputs = z
  .object({
    accountId: ACCOUNT,
    workerId: z.string().min(1),
    scriptName: z.string().min(1),
    className: CLASS,
    compatibilityDate: z.iso.date(),
    /** Else CLOUDFLARE_API_TOKEN. */
    apiToken: z.string().optional(),
    baseUrl: z.string().optional(),
  })
  .strict();

export type WorkerClassInputs = z.infer<typeof workerClassInputs>;

/** Inputs of `keelson:index:ContainerApplication`; components/cloudflare/application.ts describes them. */
export const applicationInputs = z
  .object({
    accountId: ACCOUNT,
    name: z.string().regex(SEGMENT, "lower case letters, digits and dashes, at most 63"),
    /** Where the image is. */
    registry: z.object({
      host: z.string().min(1),
      username: z.string().optional(),
      password: z.string().optional(),
    }),
    repository: z.string().min(1),
    /** Of the manifest for linux/amd64: Cloudflare runs nothing else. */
    digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, "sha256: and 64 hex digits"),
    scriptName: z.string().min(1),
    className: CLASS,
    instanceType: z.enum(INSTANCE_TYPES),
    maxInstances: z.int().min(1),
    logs: z.boolean(),
    /** Percentages of instances that are updated, step by step. */
    steps: z
      .array(z.int().min(LEAST_STEP).max(100))
      .min(1)
      .refine(areSteps, { error: "percentages that grow, up to 100" }),
    /** Seconds that an instance at work gets before a rollout replaces it. */
    gracePeriod: z.int().min(0),
    /** Seconds within which a rollout has to be over. */
    within: z.int().min(1),
    /** Else CLOUDFLARE_API_TOKEN. */
    apiToken: z.string().optional(),
    baseUrl: z.string().optional(),
  })
  .strict();

export type ApplicationInputs = z.infer<typeof applicationInputs>;

/** Inputs of which a change calls for a new application: they say which one it is, and what it stands behind. */
export const REPLACES: readonly string[] = ["accountId", "name", "scriptName", "className"];

/** Inputs that only say how work is done: a change of one changes nothing at Cloudflare. */
export const ASIDE: readonly string[] = ["apiToken", "baseUrl", "registry", "repository", "steps", "within"];
