import { z } from "zod";

/** Media types that this project reads and writes; Docker's are the same documents under older names. */
export const MEDIA = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  empty: "application/vnd.oci.empty.v1+json",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
} as const;

export const INDEX_TYPES: readonly string[] = [MEDIA.index, MEDIA.dockerIndex];
export const MANIFEST_TYPES: readonly string[] = [MEDIA.manifest, MEDIA.dockerManifest];

const digest = z.string().regex(/^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/, "expected sha256:<64 hex digits>");
const annotations = z.record(z.string(), z.string()).nullish();

const platform = z.object({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().nullish(),
});

/** What points at content: its type, digest and size. */
export const descriptor = z.object({
  mediaType: z.string().min(1),
  digest,
  size: z.number().int().nonnegative(),
  annotations,
  artifactType: z.string().nullish(),
  platform: platform.nullish(),
});

/** An image index (Docker: manifest list): one manifest per platform. */
export const imageIndex = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().nullish(),
  artifactType: z.string().nullish(),
  manifests: z.array(descriptor),
  subject: descriptor.nullish(),
  annotations,
});

/** One platform's image, or an artifact. */
export const imageManifest = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().nullish(),
  artifactType: z.string().nullish(),
  config: descriptor,
  layers: z.array(descriptor),
  subject: descriptor.nullish(),
  annotations,
});

const strings = z.array(z.string()).nullish();

/** The config of an image: what it runs, and how it was made. */
export const imageConfig = z.object({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().nullish(),
  created: z.string().nullish(),
  config: z
    .object({
      User: z.string().nullish(),
      Env: strings,
      Entrypoint: strings,
      Cmd: strings,
      WorkingDir: z.string().nullish(),
      StopSignal: z.string().nullish(),
      ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
      Volumes: z.record(z.string(), z.unknown()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
      Healthcheck: z.object({ Test: strings }).nullish(),
    })
    .nullish(),
  rootfs: z.object({ type: z.string(), diff_ids: z.array(digest).nullish() }),
  history: z
    .array(
      z.object({
        created: z.string().nullish(),
        created_by: z.string().nullish(),
        comment: z.string().nullish(),
        empty_layer: z.boolean().nullish(),
      }),
    )
    .nullish(),
});

export const catalog = z.object({ repositories: z.array(z.string()).nullish() });

export const tagList = z.object({ name: z.string().nullish(), tags: z.array(z.string()).nullish() });

export const tokenAnswer = z
  .object({ token: z.string().nullish(), access_token: z.string().nullish() })
  .refine((answer) => Boolean(answer.token || answer.access_token), "expected a token");

export const registryErrors = z.object({
  errors: z.array(z.object({ code: z.string().nullish(), message: z.string().nullish() })).min(1),
});

export type Descriptor = z.infer<typeof descriptor>;
export type ImageIndex = z.infer<typeof imageIndex>;
export type ImageManifest = z.infer<typeof imageManifest>;
export type ImageConfig = z.infer<typeof imageConfig>;

/** A document that a registry keeps under `manifests/`: an index or a manifest, told apart. */
export type Document =
  | { readonly kind: "index"; readonly index: ImageIndex }
  | { readonly kind: "manifest"; readonly manifest: ImageManifest };

/**
 * Reads untrusted bytes as an index or a manifest.
 * A document that could be read as both is refused (CVE-2021-41190): what one tool checks, another would run.
 * @throws RangeError saying what was expected and found.
 */
export function parseDocument(bytes: Uint8Array, mediaType: string): Document {
  const json = parseJson(bytes);
  if (typeof json !== "object" || json === null) throw new RangeError(`expected a JSON object, found ${brief(bytes)}`);
  const stated = "mediaType" in json && typeof json.mediaType === "string" ? json.mediaType : undefined;
  if ("manifests" in json && ("layers" in json || "config" in json)) {
    throw new RangeError("the document is an index and a manifest at once");
  }
  const known = [mediaType, stated].filter((type) => type && [...INDEX_TYPES, ...MANIFEST_TYPES].includes(type));
  if (known.length === 2 && known[0] !== known[1]) {
    throw new RangeError(`the answer's type is ${mediaType}, but the document says ${stated}`);
  }
  const type = known[0] ?? ("manifests" in json ? MEDIA.index : MEDIA.manifest);
  return INDEX_TYPES.includes(type)
    ? { kind: "index", index: parseAs(imageIndex, json) }
    : { kind: "manifest", manifest: parseAs(imageManifest, json) };
}

/** Reads untrusted bytes as JSON. @throws RangeError that quotes the start of what was found. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new RangeError(`expected JSON, found ${brief(bytes)}`);
  }
}

/** Checks a value against a schema. @throws RangeError with the first three differences. */
export function parseAs<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, 3).map((i) => `${i.path.join(".") || "the document"}: ${i.message}`);
  throw new RangeError(issues.join("; "));
}

/** The start of untrusted bytes as one printable line. */
export function brief(bytes: Uint8Array, length = 80): string {
  const text = Buffer.from(bytes.subarray(0, length))
    .toString("latin1")
    .replaceAll(/[^\x20-\x7e]+/g, "·");
  return bytes.length === 0 ? "nothing" : `${JSON.stringify(text)}${bytes.length > length ? "…" : ""}`;
}
