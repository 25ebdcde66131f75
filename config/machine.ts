import { z } from "zod";
import { CHANNEL } from "../core/channel.ts";
import { parseArchs } from "../core/cuda/notation.ts";
import { TRACKS } from "../core/cuda/tracks.ts";
import type { Finding } from "../core/finding.ts";
import { resolveMachine } from "../core/machine/profile.ts";

const SIZE = "a size with its unit, such as 24 GiB";
const size = z.string({ error: `expected ${SIZE}` }).regex(/^\d+(?:\.\d+)? ?(?:MB|GB|MiB|GiB)$/, SIZE);

/** `keelson:machine`: what the stack's machine is. Numbers beyond reason are the plan's findings, with what is allowed. */
export const machineSchema = z
  .object({
    profile: z.string({ error: "expected a machine of the catalogue, such as rtx-4090" }).min(1),
    cores: z.number().optional(),
    memory: size.optional(),
    gpuMemory: size.optional(),
    gpus: z.number().optional(),
    capability: z
      .string()
      .regex(/^\d{1,2}\.\d$/, 'a compute capability in quotes, such as "8.9"')
      .optional(),
    driver: z.string().min(1).optional(),
    environment: z.record(z.string(), z.string()).optional(),
    bake: z.boolean().optional(),
    /** Host of `keelson:hosts` that runs its services. Default: none, they are only planned. */
    host: z.string().min(1).optional(),
    /** Tag that its services follow on that host. Default: none, they run what the stack builds. */
    channel: z.string().regex(CHANNEL, "a tag of at most 121 characters, such as stable").optional(),
    /** Stack of the machine whose earlier waves must be healthy before this one's services change. Default: none. */
    after: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,100}$/, "a stack's name, such as mainpc")
      .optional(),
  })
  .strict();

/** `keelson:cudaArchs`, in any notation. */
export const cudaArchsSchema = z.union([z.string(), z.number(), z.array(z.union([z.string(), z.number()])).min(1)]);

/** `keelson:cudaTrack`. */
export const cudaTrackSchema = z.enum(["auto", ...TRACKS]);

/** The keys of each object above, for hints. */
export const MACHINE_KEYS: readonly string[] = Object.keys(machineSchema.shape);

/**
 * What no catalogue knows in values whose form is right: a machine's profile and numbers, architectures. Told with all
 * else that is wrong in a stack's config; what the schema refuses is left to it.
 */
export function machineFindings(raw: Readonly<Record<string, unknown>>, file: string): Finding[] {
  const machine = fitting(raw.machine);
  const archs = cudaArchsSchema.safeParse(raw.cudaArchs);
  const found: Finding[] = [];
  if (machine.profile !== undefined) {
    const { profile, bake: _, host: __, channel: ___, after: ____, ...overrides } = machine;
    found.push(...resolveMachine("", profile, overrides).findings);
  }
  if (archs.success && archs.data !== "")
    found.push(...parseArchs(archs.data, { subject: "keelson:cudaArchs" }).findings);
  return found.map((finding) => ({ ...finding, where: { file } }));
}

type Machine = z.infer<typeof machineSchema>;

/** Of a machine as somebody wrote it, the fields whose form is right: one that is not keeps the others' faults from nobody. */
function fitting(raw: unknown): Partial<Machine> {
  if (raw === null || typeof raw !== "object") return {};
  const fields = Object.entries(machineSchema.shape).flatMap(([key, schema]) => {
    const found = key === "environment" ? texts((raw as Machine)[key]) : (raw as Record<string, unknown>)[key];
    const { success, data } = schema.safeParse(found);
    return success && data !== undefined ? [[key, data]] : [];
  });
  return Object.fromEntries(fields);
}

/** A map's values that are texts. */
function texts(map: unknown): unknown {
  if (map === null || typeof map !== "object") return undefined;
  return Object.fromEntries(Object.entries(map).filter(([, value]) => typeof value === "string"));
}
