import { z } from "zod";
import { UserError } from "../../core/error.ts";
import type { Values } from "../common/values.ts";
import type { Api } from "./api.ts";
import { bucketPlace, inJurisdiction, jurisdictionOf } from "./bucket.ts";
import type { ResourceType } from "./resource.ts";

const age = z.object({ type: z.literal("Age"), maxAge: z.int().min(0) }).strict();
const date = z.object({ type: z.literal("Date"), date: z.string().min(1) }).strict();

const lifecycleRule = z
  .object({
    id: z.string().min(1),
    enabled: z.boolean(),
    conditions: z.object({ prefix: z.string() }).strict(),
    abortMultipartUploadsTransition: z.object({ condition: age.optional() }).strict().optional(),
    deleteObjectsTransition: z
      .object({ condition: z.union([age, date]).optional() })
      .strict()
      .optional(),
    storageClassTransitions: z
      .array(z.object({ condition: z.union([age, date]), storageClass: z.literal("InfrequentAccess") }).strict())
      .optional(),
  })
  .strict();

const lockRule = z
  .object({
    id: z.string().min(1),
    enabled: z.boolean(),
    prefix: z.string().optional(),
    condition: z.union([
      z.object({ type: z.literal("Age"), maxAgeSeconds: z.int().min(0) }).strict(),
      date,
      z.object({ type: z.literal("Indefinite") }).strict(),
    ]),
  })
  .strict();

const corsRule = z
  .object({
    id: z.string().optional(),
    allowed: z
      .object({
        methods: z.array(z.enum(["GET", "PUT", "POST", "DELETE", "HEAD"])).min(1),
        origins: z.array(z.string()).min(1),
        headers: z.array(z.string()).optional(),
      })
      .strict(),
    exposeHeaders: z.array(z.string()).optional(),
    maxAgeSeconds: z.int().optional(),
  })
  .strict();

interface Place {
  readonly account_id: string;
  readonly "cf-r2-jurisdiction"?: "eu" | "us" | "fedramp" | "default";
}

/** How one kind of a bucket's rules is read and written: always all of them at once. */
interface Kind<Rule extends z.ZodType> {
  readonly what: string;
  readonly rule: Rule;
  get(api: Api, bucket: string, place: Place): Promise<{ rules?: unknown[] } | null | undefined>;
  put(api: Api, bucket: string, place: Place, rules: z.infer<Rule>[]): Promise<void>;
}

/** The rules of one kind that a bucket has; the resource has them all, and none is left when it goes. */
function rulesType<Rule extends z.ZodType>(kind: Kind<Rule>) {
  const schema = z
    .object({ ...bucketPlace, bucketName: z.string().min(1), rules: z.array(kind.rule).optional() })
    .strict();
  type Inputs = z.infer<typeof schema>;
  const put = async (inputs: Inputs, api: Api) => {
    const place = { account_id: inputs.accountId, ...inJurisdiction(inputs.jurisdiction) };
    await kind.put(api, inputs.bucketName, place, (inputs.rules ?? []) as z.infer<Rule>[]);
  };
  const placeOf = (values: Values): Place => ({
    account_id: String(values.accountId),
    ...inJurisdiction(jurisdictionOf(values)),
  });
  const type: ResourceType<Inputs> = {
    schema,
    outputs: ["jurisdiction"],
    secrets: [],
    replaces: ["accountId", "bucketName", "jurisdiction"],
    identity: ["accountId", "bucketName", "jurisdiction"],
    changing: [],
    async create(inputs, api) {
      await put(inputs, api);
      return { id: inputs.bucketName, outputs: { jurisdiction: inputs.jurisdiction ?? "default" } };
    },
    async update(_, inputs, api) {
      await put(inputs, api);
      return {};
    },
    async read(id, values, api) {
      const found = await kind.get(api, id, placeOf(values));
      if (found === undefined) return undefined;
      const rules = inOrderOf(values.rules, found?.rules ?? []);
      const jurisdiction = jurisdictionOf(values) ?? "default";
      return {
        id,
        inputs: { accountId: values.accountId, bucketName: id, jurisdiction, rules },
        outputs: { jurisdiction, rules },
      };
    },
    async delete(id, state, api) {
      const found = await kind.get(api, id, placeOf(state));
      if (found !== undefined) await kind.put(api, id, placeOf(state), []);
    },
    parseImport(id) {
      throw new UserError(
        `a bucket's ${kind.what} can't be imported, found ${JSON.stringify(id)}`,
        "declare it: the first up replaces the rules that the bucket has",
      );
    },
  };
  return type;
}

/** Order means nothing to R2, and it answers in its own: rules that were known stand where they stood. */
function inOrderOf(known: unknown, rules: readonly unknown[]): unknown[] {
  const ids = Array.isArray(known) ? known.map(idOf) : [];
  const rank = (rule: unknown) => {
    const at = ids.indexOf(idOf(rule));
    return at === -1 ? ids.length : at;
  };
  return rules.toSorted((a, b) => rank(a) - rank(b));
}

function idOf(rule: unknown): unknown {
  return (rule as { id?: unknown } | null)?.id;
}

/** `cloudflare:index/r2BucketLifecycle:R2BucketLifecycle` */
export const lifecycleType = rulesType({
  what: "lifecycle",
  rule: lifecycleRule,
  get: (api, bucket, place) =>
    api.find(`read the lifecycle of bucket ${bucket}`, (client, options) =>
      client.r2.buckets.lifecycle.get(bucket, place, options),
    ),
  put: async (api, bucket, place, rules) => {
    await api.settling(`set the lifecycle of bucket ${bucket}`, (client, options) =>
      client.r2.buckets.lifecycle.update(bucket, { ...place, rules: defined(rules) }, options),
    );
  },
});

/** `cloudflare:index/r2BucketLock:R2BucketLock` */
export const lockType = rulesType({
  what: "lock",
  rule: lockRule,
  get: (api, bucket, place) =>
    api.find(`read the locks of bucket ${bucket}`, (client, options) =>
      client.r2.buckets.locks.get(bucket, place, options),
    ),
  put: async (api, bucket, place, rules) => {
    await api.settling(`set the locks of bucket ${bucket}`, (client, options) =>
      client.r2.buckets.locks.update(bucket, { ...place, rules: defined(rules) }, options),
    );
  },
});

/** `cloudflare:index/r2BucketCors:R2BucketCors` */
export const corsType = rulesType({
  what: "CORS rules",
  rule: corsRule,
  get: (api, bucket, place) =>
    api.find(`read the CORS rules of bucket ${bucket}`, (client, options) =>
      client.r2.buckets.cors.get(bucket, place, options),
    ),
  put: async (api, bucket, place, rules) => {
    await api.settling(`set the CORS rules of bucket ${bucket}`, (client, options) =>
      rules.length === 0
        ? client.r2.buckets.cors.delete(bucket, place, options)
        : client.r2.buckets.cors.update(bucket, { ...place, rules: defined(rules) }, options),
    );
  },
});

/** Keys that are undefined are left out, as the client's types want it. */
function defined<T>(value: T): never {
  return JSON.parse(JSON.stringify(value)) as never;
}
