import { z } from "zod";
import { areSteps, INSTANCE_TYPES, LEAST_STEP } from "../core/cloudflare/instance-types.ts";
import { account, duration } from "./workload-values.ts";

/** What Cloudflare takes as the name of a Worker and of an application. */
const name = z
  .string()
  .max(63)
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, "lower case letters, digits and dashes, at most 63");

const sandboxFields = z
  .object({
    account,
    image: z.string().min(1),
    /** Of `keelson:volumes`, at R2 in the same account. */
    volume: z.string().min(1).optional(),
    instanceType: z.enum(INSTANCE_TYPES).default("standard-1"),
    /** A module of the project's own in place of keelson's: one file, whose class Sandbox is bound as SANDBOX. */
    worker: z
      .string()
      .regex(
        /^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[^\\]+\.m?js$/,
        "a module inside the project, such as stacks/prod/worker.mjs",
      )
      .optional(),
    maxInstances: z.int().min(1).default(1),
    /** An address that anybody reaches, at workers.dev. */
    workersDev: z.boolean().default(false),
    /** Default: usualSteps. */
    steps: z
      .array(z.int().min(LEAST_STEP).max(100))
      .min(1)
      .refine(areSteps, { error: "percentages that grow, up to 100" })
      .optional(),
    within: duration.default("15 min"),
  })
  .strict();

const sandboxSchema = sandboxFields
  // A second instance would be a second gateway, which knows nothing of the sessions of the first.
  .refine(({ worker, maxInstances }) => worker !== undefined || maxInstances === 1, {
    error:
      "1: keelson's Worker sends all requests to one instance, and others would stand idle; a worker of your own may use more",
    path: ["maxInstances"],
  })
  .refine(({ steps = [], maxInstances }) => steps.length <= maxInstances, {
    error: "as many steps as maxInstances at most: Cloudflare refuses more",
    path: ["steps"],
  });

/** `keelson:cloudflare`: images that run as containers behind Workers. */
export const cloudflareSchema = z.record(name, sandboxSchema);

/** The keys of each object above, for hints. */
export const CLOUDFLARE_KEYS: Readonly<Record<string, readonly string[]>> = {
  "cloudflare.*": Object.keys(sandboxFields.shape),
};
