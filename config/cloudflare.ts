import { z } from "zod";
import { INSTANCE_TYPES } from "../core/cloudflare/instance-types.ts";
import { duration } from "./workload-values.ts";

/** What Cloudflare takes as the name of a Worker and of an application. */
const name = z
  .string()
  .max(63)
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, "lower case letters, digits and dashes, at most 63");

const ACCOUNT = "expected a Cloudflare account's id: 32 hex digits";

const sandboxSchema = z
  .object({
    account: z.string({ error: ACCOUNT }).regex(/^[0-9a-f]{32}$/, ACCOUNT),
    image: z.string().min(1),
    /** Of `keelson:volumes`, at R2 in the same account. */
    volume: z.string().min(1).optional(),
    instanceType: z.enum(INSTANCE_TYPES).default("standard-1"),
    /** A second one would be a second gateway, which knows nothing of the sessions of the first. */
    maxInstances: z
      .int()
      .refine((instances) => instances === 1, {
        error: "1: the Worker sends all requests to one instance, and others would stand idle",
      })
      .default(1),
    /** An address that anybody reaches, at workers.dev. */
    workersDev: z.boolean().default(false),
    steps: z
      .array(z.int())
      .refine((steps) => steps.length === 1 && steps[0] === 100, {
        error: "[100]: a single instance is updated at once",
      })
      .optional(),
    within: duration.default("15 min"),
  })
  .strict();

/** `keelson:cloudflare`: images that run as containers behind Workers. */
export const cloudflareSchema = z.record(name, sandboxSchema);

/** The keys of each object above, for hints. */
export const CLOUDFLARE_KEYS: Readonly<Record<string, readonly string[]>> = {
  "cloudflare.*": Object.keys(sandboxSchema.shape),
};
