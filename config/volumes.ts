import { z } from "zod";
import { type Duration, isDuration, parseDuration } from "../core/duration.ts";
import type { Finding } from "../core/finding.ts";
import { BUCKET_NAME, BUCKET_NAME_RULE } from "../core/volume/bucket-name.ts";
import { JURISDICTIONS, LOCATIONS, type PlannedVolume, planVolume, STORAGE_CLASSES } from "../core/volume/volume.ts";
import { configFindings, unknownKey } from "./diagnostics.ts";
import { account, secret } from "./workload-values.ts";

const DAY = 86_400;

const bucket = z.string().regex(BUCKET_NAME, BUCKET_NAME_RULE);
/** Keys are joined by slashes; R2's hold 1024 bytes (developers.cloudflare.com/r2/platform/limits), and most are the volume's. */
const prefix = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/, "parts of letters, digits, . _ - with slashes between");
const keyPrefix = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9._/-]*$/, "a key's beginning of letters, digits, . _ - and /");

/** R2 looks at its rules once a day: ages are whole days. */
const DAYS = 'expected whole days such as "7 d"';
const days = z
  .string({ error: DAYS })
  .refine((text): text is Duration => isDuration(text) && wholeDays(parseDuration(text)), { error: DAYS });
const A_DURATION = 'expected a duration such as "30 d" or "5 min"';
const duration = z.string({ error: A_DURATION }).refine(isDuration, { error: A_DURATION });

function wholeDays(seconds: number): boolean {
  return seconds >= DAY && seconds % DAY === 0;
}

const place = { bucket: bucket.optional(), prefix: prefix.optional() };
/** As browsers send it, so that one with a path or a slash at its end never fits; R2 takes * for any, and in a name. */
const origin = z
  .string()
  .regex(/^(?:\*|[a-z][a-z0-9+.-]*:\/\/[^/\s]+)$/, "an origin such as https://acme.example, without a path, or *");

const embedded = z.object({ ...place, backend: z.literal("embedded") }).strict();
const s3 = z
  .object({
    ...place,
    backend: z.literal("s3"),
    endpoint: z.url({ protocol: /^https?$/, error: "an address such as https://s3.example.org" }),
    region: z
      .string()
      .regex(/^[a-z0-9-]+$/, "a region such as eu-central-1")
      .default("auto"),
    accessKeyId: z.string().min(1),
    secret,
  })
  .strict();
const r2 = z
  .object({
    ...place,
    backend: z.literal("r2"),
    account,
    jurisdiction: z.enum(JURISDICTIONS).optional(),
    location: z.enum(LOCATIONS).optional(),
    storageClass: z.enum(STORAGE_CLASSES).default("Standard"),
    access: z.enum(["read-write", "read"]).default("read-write"),
    abortUploadsAfter: days.default("1 d"),
    expire: z.array(z.object({ prefix: keyPrefix, after: days }).strict()).default([]),
    lock: z.array(z.object({ prefix: keyPrefix, for: z.union([z.literal("ever"), duration]) }).strict()).default([]),
    cors: z
      .array(
        z
          .object({
            origins: z.array(origin).min(1),
            methods: z.array(z.enum(["GET", "PUT", "POST", "DELETE", "HEAD"])).min(1),
            headers: z.array(z.string().min(1)).optional(),
            maxAge: duration.optional(),
          })
          .strict(),
      )
      .default([]),
    retain: z.boolean().default(true),
  })
  .strict();

const name = z.string().regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, "lower case letters, digits, and single hyphens between");
const backend = z.looseObject({ backend: z.enum(["embedded", "s3", "r2"]) });
/** Which backend comes first: what else a volume may have depends on it. */
const backendsSchema = z.object({ volumes: z.record(name, backend) });
const volumesSchema = z.object({
  volumes: z.record(z.string(), z.discriminatedUnion("backend", [embedded, s3, r2])),
});

/** The keys of a volume, by backend. */
const BACKEND_KEYS = {
  embedded: Object.keys(embedded.shape),
  s3: Object.keys(s3.shape),
  r2: Object.keys(r2.shape),
} as const;
type Backend = keyof typeof BACKEND_KEYS;

/** The keys of a volume, of any backend. */
export const VOLUME_KEYS = [...new Set(Object.values(BACKEND_KEYS).flat())].toSorted();

/**
 * A stack's volumes, sorted by name, and all that is wrong with them. Loaded only for stacks that have some.
 * @param raw `keelson:volumes`
 * @param file the stack's, for findings
 */
export function readVolumes(
  raw: Readonly<Record<string, unknown>>,
  file: string,
): { readonly volumes: readonly PlannedVolume[]; readonly findings: readonly Finding[] } {
  const backends = backendsSchema.safeParse({ volumes: raw });
  const known = Object.fromEntries(Object.entries(raw).filter(([, volume]) => backend.safeParse(volume).success));
  const parsed = volumesSchema.safeParse({ volumes: known });
  const findings = [backends, parsed]
    .flatMap(({ error }) => (error === undefined ? [] : configFindings(error, { volumes: raw }, file)))
    .filter((finding) => !isUnknownKey(finding, known))
    .concat(keyFindings(known, file), nameFindings(raw, file));
  if (!parsed.success || findings.length > 0) return { volumes: [], findings };
  const volumes = Object.entries(parsed.data.volumes)
    .map(([name, setting]) => planVolume(name, setting))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { volumes, findings: sharedBuckets(volumes, file) };
}

/** Keys that a volume's backend has not: which there are depends on it. */
function keyFindings(known: Readonly<Record<string, unknown>>, file: string): Finding[] {
  return Object.entries(known).flatMap(([key, volume]) => {
    const own = (volume as { backend: Backend }).backend;
    return Object.keys(volume as object)
      .filter((one) => !BACKEND_KEYS[own].includes(one))
      .map((one) => {
        const others = (Object.keys(BACKEND_KEYS) as Backend[]).filter((other) => BACKEND_KEYS[other].includes(one));
        const finding = unknownKey(["volumes", key], one, BACKEND_KEYS[own], file);
        return others.length === 0
          ? finding
          : { ...finding, message: `expected keys of backend ${own}, found one of ${others.join(" and ")}` };
      });
  });
}

/** Whether a finding is on a key of a volume itself, which {@link keyFindings} tells. */
function isUnknownKey({ rule, subject }: Finding, known: Readonly<Record<string, unknown>>): boolean {
  if (rule !== "config/unrecognized-keys") return false;
  return Object.entries(known).some(([key, volume]) =>
    Object.keys(volume as object).some((one) => subject === `keelson:volumes.${key}.${one}`),
  );
}

/** A volume that names no bucket is one. */
function nameFindings(raw: Readonly<Record<string, unknown>>, file: string): Finding[] {
  return Object.entries(raw)
    .filter(([key, volume]) => backend.safeParse(volume).data?.bucket === undefined && !BUCKET_NAME.test(key))
    .filter(([key]) => name.safeParse(key).success)
    .map(([key]) => ({
      rule: "config/bucket-name",
      severity: "error",
      subject: `keelson:volumes.${key}`,
      message: `expected the name of its bucket, ${BUCKET_NAME_RULE}, found "${key}"`,
      fix: "set its bucket, or name it otherwise",
      where: { file },
    }));
}

/** Two volumes of one bucket overwrite each other's rules, and one's keys may open what the other keeps. */
function sharedBuckets(volumes: readonly PlannedVolume[], file: string): Finding[] {
  return volumes.flatMap((volume, i) => {
    const other = volumes.slice(0, i).find((v) => placeOf(v) === placeOf(volume));
    if (other === undefined) return [];
    return [
      {
        rule: "config/shared-bucket",
        severity: "error",
        subject: `keelson:volumes.${volume.name}`,
        message: `expected a bucket of its own, found ${volume.bucket}, which volume ${other.name} has`,
        fix: "give one of them another bucket, or write one volume with two prefixes below it",
        where: { file },
      },
    ];
  });
}

function placeOf(volume: PlannedVolume): string {
  return `${volume.backend === "embedded" ? "embedded" : volume.endpoint} ${volume.bucket}`;
}
