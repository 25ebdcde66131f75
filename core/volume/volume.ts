import { type Duration, parseDuration } from "../duration.ts";

/** Where R2 may keep a bucket's bytes by law; absent: anywhere. */
export const JURISDICTIONS = ["eu", "us", "fedramp"] as const;
/** Where R2 is asked to keep them. Upper case, as its API answers: in lower case every preview shows a difference. */
export const LOCATIONS = ["APAC", "EEUR", "ENAM", "OC", "WEUR", "WNAM"] as const;
export const STORAGE_CLASSES = ["Standard", "InfrequentAccess"] as const;

/** A volume as the stack's config has it, checked. */
export type VolumeSetting = {
  /** Default: the volume's name. */
  readonly bucket?: string | undefined;
  /** Before every key; default: none. */
  readonly prefix?: string | undefined;
} & (
  | { readonly backend: "embedded" }
  | { readonly backend: "s3"; readonly endpoint: string; readonly region: string; readonly accessKeyId: string }
  | ({ readonly backend: "r2" } & R2Setting)
);

/** What R2 is told of a bucket. */
export interface R2Setting {
  /** Cloudflare account, 32 hex digits. */
  readonly account: string;
  readonly jurisdiction?: (typeof JURISDICTIONS)[number] | undefined;
  readonly location?: (typeof LOCATIONS)[number] | undefined;
  readonly storageClass: (typeof STORAGE_CLASSES)[number];
  readonly access: "read-write" | "read";
  /** Uploads in parts that nobody finished are given up. */
  readonly abortUploadsAfter: Duration;
  /** Objects go that long after they were written, used or not. */
  readonly expire: readonly { readonly prefix: string; readonly after: Duration }[];
  /** Objects can't be deleted or overwritten for that long. */
  readonly lock: readonly { readonly prefix: string; readonly for: Duration | "ever" }[];
  readonly cors: readonly CorsRule[];
  /** Whether the bucket stays when it leaves the stack. */
  readonly retain: boolean;
}

export interface CorsRule {
  readonly origins: readonly string[];
  readonly methods: readonly ("GET" | "PUT" | "POST" | "DELETE" | "HEAD")[];
  readonly headers?: readonly string[] | undefined;
  readonly maxAge?: Duration | undefined;
}

/** A volume of the plan: where it is, by name, and its rules as R2 wants them. Never a key. */
export type PlannedVolume = {
  readonly name: string;
  readonly bucket: string;
  /** Ends with a slash, or empty. */
  readonly prefix: string;
  readonly region: string;
} & (
  | { readonly backend: "embedded" }
  | { readonly backend: "s3"; readonly endpoint: string; readonly accessKeyId: string }
  | ({ readonly backend: "r2"; readonly endpoint: string } & PlannedR2)
);

export interface PlannedR2 {
  readonly account: string;
  readonly jurisdiction?: string;
  readonly location?: string;
  readonly storageClass: string;
  readonly access: "read-write" | "read";
  readonly lifecycle: readonly LifecycleRule[];
  readonly lock: readonly LockRule[];
  readonly cors: readonly PlannedCors[];
  readonly retain: boolean;
}

export interface LifecycleRule {
  readonly id: string;
  readonly prefix: string;
  /** Seconds. */
  readonly abortUploadsAfter?: number;
  /** Seconds. */
  readonly expireAfter?: number;
}

export interface LockRule {
  readonly id: string;
  readonly prefix: string;
  /** Seconds; absent: for ever. */
  readonly seconds?: number;
}

export interface PlannedCors {
  readonly id: string;
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  readonly headers?: readonly string[];
  readonly maxAgeSeconds?: number;
}

/**
 * A volume as it will be.
 * @example planVolume("tools", { backend: "embedded" }) // { name: "tools", bucket: "tools", prefix: "", region: "auto", … }
 */
export function planVolume(name: string, setting: VolumeSetting): PlannedVolume {
  const prefix = setting.prefix === undefined || setting.prefix === "" ? "" : `${setting.prefix}/`;
  const place = { name, bucket: setting.bucket ?? name, prefix };
  if (setting.backend === "embedded") return { ...place, region: "auto", backend: "embedded" };
  if (setting.backend === "s3") {
    const { endpoint, region, accessKeyId } = setting;
    return { ...place, region, backend: "s3", endpoint: endpoint.replace(/\/+$/, ""), accessKeyId };
  }
  const { account, jurisdiction, location, storageClass, access, retain } = setting;
  return {
    ...place,
    region: "auto",
    backend: "r2",
    endpoint: r2Endpoint(account, jurisdiction),
    account,
    ...(jurisdiction === undefined ? {} : { jurisdiction }),
    ...(location === undefined ? {} : { location }),
    storageClass,
    access,
    lifecycle: lifecycleRules(setting, prefix),
    lock: setting.lock.map((rule, i) => ({
      id: `lock-${i + 1}`,
      prefix: prefix + rule.prefix,
      ...(rule.for === "ever" ? {} : { seconds: parseDuration(rule.for) }),
    })),
    cors: setting.cors.map(({ origins, methods, headers, maxAge }, i) => ({
      id: `cors-${i + 1}`,
      origins,
      methods,
      ...(headers === undefined ? {} : { headers }),
      ...(maxAge === undefined ? {} : { maxAgeSeconds: parseDuration(maxAge) }),
    })),
    retain,
  };
}

/** R2's S3 endpoint of an account; a bucket under a jurisdiction is reached by that jurisdiction's alone. */
export function r2Endpoint(account: string, jurisdiction?: string): string {
  return `https://${account}${jurisdiction === undefined ? "" : `.${jurisdiction}`}.r2.cloudflarestorage.com`;
}

/**
 * The resource that a token's policy names for one bucket (developers.cloudflare.com/r2/api/tokens).
 * @example tokenResource("0123…", undefined, "tools") // "com.cloudflare.edge.r2.bucket.0123…_default_tools"
 */
export function tokenResource(account: string, jurisdiction: string | undefined, bucket: string): string {
  return `com.cloudflare.edge.r2.bucket.${account}_${jurisdiction ?? "default"}_${bucket}`;
}

function lifecycleRules({ abortUploadsAfter, expire }: R2Setting, prefix: string): LifecycleRule[] {
  return [
    { id: "abort-uploads", prefix, abortUploadsAfter: parseDuration(abortUploadsAfter) },
    ...expire.map((rule, i) => ({
      id: `expire-${i + 1}`,
      prefix: prefix + rule.prefix,
      expireAfter: parseDuration(rule.after),
    })),
  ];
}
