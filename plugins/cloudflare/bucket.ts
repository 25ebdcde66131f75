import { z } from "zod";
import { UserError } from "../../core/error.ts";
import { BUCKET_NAME, BUCKET_NAME_RULE } from "../../core/volume/bucket-name.ts";
import type { Values } from "../common/values.ts";
import type { Api } from "./api.ts";
import type { Found, ResourceType } from "./resource.ts";

export const JURISDICTIONS = ["default", "eu", "us", "fedramp"] as const;
const LOCATIONS = ["apac", "eeur", "enam", "weur", "wnam", "oc"] as const;

/** What every resource of a bucket is found by. */
export const bucketPlace = {
  accountId: z.string().min(1),
  jurisdiction: z.enum(JURISDICTIONS).optional(),
};

const inputs = z
  .object({
    ...bucketPlace,
    name: z.string().regex(BUCKET_NAME, `expected ${BUCKET_NAME_RULE}`),
    location: z
      .string()
      .refine((text) => LOCATIONS.some((location) => location === text.toLowerCase()), {
        error: `expected one of ${LOCATIONS.join(", ")}`,
      })
      .optional(),
    storageClass: z.enum(["Standard", "InfrequentAccess"]).optional(),
  })
  .strict();
type Inputs = z.infer<typeof inputs>;

/** A bucket as the API answers it. */
interface Bucket {
  readonly name?: string;
  readonly creation_date?: string;
  readonly jurisdiction?: string;
  readonly location?: string;
  readonly storage_class?: string;
}

/** `cloudflare:index/r2Bucket:R2Bucket` */
export const bucketType: ResourceType<Inputs> = {
  schema: inputs,
  outputs: ["creationDate", "jurisdiction", "location", "storageClass"],
  secrets: [],
  replaces: ["accountId", "name", "jurisdiction", "location"],
  identity: ["accountId", "name", "jurisdiction"],
  changing: ["storageClass"],

  async create({ accountId, name, jurisdiction, location, storageClass }, api) {
    const look = () => findBucket(api, accountId, name, jurisdiction);
    if ((await look()) !== undefined)
      throw new UserError(
        `bucket ${name} is there already`,
        `take it over: pulumi import cloudflare:index/r2Bucket:R2Bucket NAME ${accountId}/${name}/${jurisdiction ?? "default"}`,
      );
    const made = await api.once(
      `make bucket ${name}`,
      async (client, options): Promise<Bucket> =>
        client.r2.buckets.create(
          {
            account_id: accountId,
            name,
            ...inJurisdiction(jurisdiction),
            ...(location === undefined ? {} : { locationHint: location.toLowerCase() as (typeof LOCATIONS)[number] }),
            ...(storageClass === undefined ? {} : { storageClass }),
          },
          options,
        ),
      look,
    );
    return { id: name, outputs: outputsOf(made, location) };
  },

  async update(id, { accountId, jurisdiction, storageClass = "Standard" }, api) {
    await api.repeatable(`set the storage class of bucket ${id}`, (client, options) =>
      client.r2.buckets.edit(
        id,
        { account_id: accountId, storage_class: storageClass, ...inJurisdiction(jurisdiction) },
        options,
      ),
    );
    return { storageClass };
  },

  async read(id, values, api): Promise<Found | undefined> {
    const accountId = String(values.accountId);
    const jurisdiction = jurisdictionOf(values);
    const found = await findBucket(api, accountId, id, jurisdiction);
    if (found === undefined) return undefined;
    const outputs = outputsOf(found, typeof values.location === "string" ? values.location : undefined);
    return { id, inputs: { accountId, name: id, ...outputs, creationDate: undefined }, outputs };
  },

  async delete(id, state, api) {
    await api.find(`delete bucket ${id}`, (client, options) =>
      client.r2.buckets.delete(
        id,
        { account_id: String(state.accountId), ...inJurisdiction(jurisdictionOf(state)) },
        options,
      ),
    );
  },

  parseImport(id) {
    const [, accountId, name, jurisdiction = "default"] = /^([^/]+)\/([^/]+)(?:\/([^/]+))?$/.exec(id) ?? [];
    if (accountId === undefined || name === undefined)
      throw new UserError(
        `expected the id of a bucket, found ${JSON.stringify(id)}`,
        "write ACCOUNT/BUCKET/JURISDICTION",
      );
    return { id: name, values: { accountId, name, jurisdiction } };
  },
};

/** The header of a bucket's jurisdiction; none for the default one. */
export function inJurisdiction(jurisdiction: Inputs["jurisdiction"]) {
  return jurisdiction === undefined || jurisdiction === "default" ? {} : { "cf-r2-jurisdiction": jurisdiction };
}

export function jurisdictionOf(values: Values): Inputs["jurisdiction"] {
  return JURISDICTIONS.find((jurisdiction) => jurisdiction === values.jurisdiction);
}

async function findBucket(
  api: Api,
  accountId: string,
  name: string,
  jurisdiction: Inputs["jurisdiction"],
): Promise<Bucket | undefined> {
  return api.find(`read bucket ${name}`, (client, options) =>
    client.r2.buckets.get(name, { account_id: accountId, ...inJurisdiction(jurisdiction) }, options),
  );
}

/** R2 answers locations in upper case, whatever case they were asked in: the case of the inputs stays. */
function outputsOf({ creation_date, jurisdiction, location, storage_class }: Bucket, asked: string | undefined) {
  const same = asked !== undefined && location?.toLowerCase() === asked.toLowerCase();
  return {
    creationDate: creation_date,
    jurisdiction: jurisdiction ?? "default",
    location: same ? asked : location,
    storageClass: storage_class ?? "Standard",
  };
}
