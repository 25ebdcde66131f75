import { createHash } from "node:crypto";
import { AccountToken } from "@pulumi/cloudflare/accountToken.js";
import { R2Bucket } from "@pulumi/cloudflare/r2bucket.js";
import { R2BucketCors } from "@pulumi/cloudflare/r2bucketCors.js";
import { R2BucketLifecycle } from "@pulumi/cloudflare/r2bucketLifecycle.js";
import { R2BucketLock } from "@pulumi/cloudflare/r2bucketLock.js";
import * as pulumi from "@pulumi/pulumi";
import { type PlannedVolume, tokenResource } from "../../core/volume/volume.ts";

/** Cloudflare's permission groups for the objects of single buckets (developers.cloudflare.com/r2/api/tokens). */
const BUCKET_ITEM_READ = "6a018a9f2fc74eb6b293b0c548f38b39";
const BUCKET_ITEM_WRITE = "2efd5506f9c8494dacb1fa10a3e7d5b6";

/** A bucket that is there, and the keys that open it. */
export interface OpenBucket {
  readonly endpoint: pulumi.Input<string>;
  readonly accessKeyId: pulumi.Input<string>;
  readonly secretAccessKey: pulumi.Input<string>;
  /** What must be there before the keys open anything. */
  readonly resources: readonly pulumi.Resource[];
}

/**
 * A bucket at Cloudflare with its rules, and keys that open it alone. S3's access key is the token's id, its secret the
 * SHA-256 of the token's value (developers.cloudflare.com/r2/api/tokens, "Get S3 API credentials from an API token").
 */
export function r2Bucket(
  name: string,
  volume: PlannedVolume & { readonly backend: "r2" },
  parent: pulumi.Resource,
): OpenBucket {
  const at = {
    accountId: volume.account,
    ...(volume.jurisdiction === undefined ? {} : { jurisdiction: volume.jurisdiction }),
  };
  const { location, storageClass } = volume;
  const bucket = new R2Bucket(
    name,
    { ...at, name: volume.bucket, storageClass, ...(location === undefined ? {} : { location }) },
    // The location is a wish at creation: a bucket that has another one is not made anew for it.
    { parent, retainOnDelete: volume.retain, ignoreChanges: ["location"] },
  );
  const rules = { parent: bucket, retainOnDelete: volume.retain };
  const of = { ...at, bucketName: bucket.name };
  const resources: pulumi.Resource[] = [
    bucket,
    new R2BucketLifecycle(`${name}-lifecycle`, { ...of, rules: volume.lifecycle.map(lifecycleRule) }, rules),
  ];
  if (volume.lock.length > 0)
    resources.push(new R2BucketLock(`${name}-lock`, { ...of, rules: volume.lock.map(lockRule) }, rules));
  if (volume.cors.length > 0)
    resources.push(new R2BucketCors(`${name}-cors`, { ...of, rules: volume.cors.map(corsRule) }, rules));

  const groups = volume.access === "read" ? [BUCKET_ITEM_READ] : [BUCKET_ITEM_READ, BUCKET_ITEM_WRITE];
  const token = new AccountToken(
    `${name}-token`,
    {
      accountId: volume.account,
      name: `${pulumi.getProject()}-${pulumi.getStack()}-${name}`,
      policies: [
        {
          effect: "allow",
          permissionGroups: groups.map((id) => ({ id })),
          resources: bucket.name.apply((b) =>
            JSON.stringify({ [tokenResource(volume.account, volume.jurisdiction, b)]: "*" }),
          ),
        },
      ],
    },
    { parent, additionalSecretOutputs: ["value"] },
  );
  resources.push(token);
  return {
    endpoint: volume.endpoint,
    accessKeyId: token.id,
    secretAccessKey: pulumi.secret(token.value).apply((value) => createHash("sha256").update(value).digest("hex")),
    resources,
  };
}

type R2Rules = Extract<PlannedVolume, { backend: "r2" }>;

function lifecycleRule({ id, prefix, abortUploadsAfter, expireAfter }: R2Rules["lifecycle"][number]) {
  const age = (maxAge: number) => ({ condition: { type: "Age", maxAge } });
  return {
    id,
    enabled: true,
    conditions: { prefix },
    ...(abortUploadsAfter === undefined ? {} : { abortMultipartUploadsTransition: age(abortUploadsAfter) }),
    ...(expireAfter === undefined ? {} : { deleteObjectsTransition: age(expireAfter) }),
  };
}

function lockRule({ id, prefix, seconds }: R2Rules["lock"][number]) {
  return {
    id,
    enabled: true,
    prefix,
    condition: seconds === undefined ? { type: "Indefinite" } : { type: "Age", maxAgeSeconds: seconds },
  };
}

function corsRule({ id, origins, methods, headers, maxAgeSeconds }: R2Rules["cors"][number]) {
  return {
    id,
    allowed: {
      origins: [...origins],
      methods: [...methods],
      ...(headers === undefined ? {} : { headers: [...headers] }),
    },
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
  };
}
