import { z } from "zod";
import type { Capability } from "../../../core/cuda/capability.ts";
import { isDuration } from "../../../core/duration.ts";
import { type Budget, HEALTH_SMOKE, type Health } from "../../../core/image.ts";
import { PLATFORMS } from "../../../core/platform.ts";
import { isDigest, isRepository, isTag } from "../../../core/reference.ts";
import { parseSize, type Size } from "../../../core/size.ts";

const hash = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hex digits");
/** A path inside of the project: relative, with slashes, never out of it. */
const path = z
  .string()
  .min(1)
  .refine((p) => !p.startsWith("/") && !p.split("/").includes(".."), "expected a path inside of the project");
const ref = z.string().regex(/^\S+$/, "expected an image reference");
export const tag = z.string().refine(isTag, "expected a tag");
export const repository = z.string().refine(isRepository, "expected a repository");
export const digest = z.string().refine(isDigest, "expected sha256:<hex>");
const size = z.string().refine(isSize, 'expected a size such as "500 MB"') as unknown as z.ZodType<Size>;

/** A registry: `embedded` for the one that the toolchain runs, or its host with port. */
export const registry = z.object({
  host: z.string().regex(/^[A-Za-z0-9.-]+(?::\d{1,5})?$/, "expected a host such as ghcr.io or localhost:5443"),
  username: z.string().min(1).optional(),
  password: z.string().optional(),
});

const build = z.object({
  platform: z.enum(PLATFORMS),
  node: z.string().min(1),
  mode: z.enum(["native", "qemu"]),
});

const base = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("image"), ref, hash: hash.optional() }),
  z.object({
    kind: z.literal("external"),
    name: ref,
    origin: z.enum(["upstream", "bootstrapped"]),
    hash: hash.optional(),
  }),
]);

const context = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("path"), path, hash: hash.optional() }),
  /** Sources: relative to the project, or absolute; they may lie outside of it. */
  z.object({ kind: z.literal("source"), path: z.string().min(1), hash: hash.optional() }),
  z.object({ kind: z.literal("lock"), file: path, hash: hash.optional() }),
  z.object({ kind: z.literal("image"), ref, hash: hash.optional() }),
]);

const capability = z
  .string()
  .regex(/^\d{1,2}\.\d$/, "expected a compute capability such as 8.9") as unknown as z.ZodType<Capability>;
/** What an image's CUDA code is for. */
const cuda = z.object({
  targets: z.array(z.object({ machine: z.string().min(1), capability })),
  archs: z
    .array(z.object({ capability, variant: z.enum(["", "a", "f"]), sass: z.boolean(), ptx: z.boolean() }))
    .optional(),
});

/** Where wheels come from in place of the machine's own index. */
const wheelhouse = z.union([
  z.object({
    index: z.url({ protocol: /^https?$/, error: "expected the address of an index" }),
    username: z.string().min(1).optional(),
    password: z.string().optional(),
  }),
  z.object({
    endpoint: z.url({ protocol: /^https?$/, error: "expected the address of an S3 endpoint" }),
    region: z.string().min(1),
    bucket: z.string().min(1),
    prefix: z.string(),
    accessKeyId: z.string().min(1),
    secretAccessKey: z.string().min(1),
  }),
]);

const severity = z.enum(["error", "warning", "info", "off"]);
const budget = z.object({
  compressed: size.optional(),
  unpacked: size.optional(),
  rest: z
    .object({
      without: z.array(z.string().min(1)),
      unpacked: size,
      on: z.partialRecord(z.enum(PLATFORMS), size).optional(),
    })
    .optional(),
  files: z.record(z.string().min(1), size).optional(),
}) as unknown as z.ZodType<Budget>;

const health = z.object({
  http: z.object({ port: z.int().min(1).max(65_535), path: z.string().startsWith("/") }).optional(),
  command: z.array(z.string()).min(1).optional(),
  within: z.string().refine(isDuration, 'expected a duration such as "30 s"'),
  smoke: z.enum(HEALTH_SMOKE).optional(),
  environment: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).optional(),
}) as unknown as z.ZodType<Health>;

/** Inputs of `keelson:index:Image`; components/image/keelson.ts describes them. */
export const imageInputs = z.object({
  imageName: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/, "expected lower case letters, digits, . _ -"),
  repository,
  registry,
  contentHash: hash,
  folder: path,
  target: z.string().min(1).optional(),
  args: z.record(z.string(), z.string()),
  base,
  contexts: z.record(z.string(), context),
  builds: z.array(build).min(1, "expected at least one platform"),
  builder: z.unknown(),
  cache: z.enum(["none", "registry", "gha"]),
  /** Platforms that someone else has built and pushed, by digest: checked and taken into the index, not built. */
  built: z.partialRecord(z.enum(PLATFORMS), digest).optional(),
  tags: z.array(tag),
  /** What a promotion puts on it as well: the release of its sources. */
  release: tag.optional(),
  annotations: z.record(z.string(), z.string()),
  /** Annotations that change with a commit: they go beside the image, as a referrer, and change no digest. */
  provenance: z.record(z.string(), z.string()).default({}),
  budget,
  smoke: path.optional(),
  /** Of the smoke script's bytes: filled in by the plugin, so that an edit of the script runs it again. */
  smokeHash: hash.optional(),
  user: z.string(),
  /** How to know that it serves: polled in each built platform. */
  health: health.optional(),
  gates: z
    .object({
      severity: z.record(z.string(), severity).default({}),
      allow: z.array(z.object({ rule: z.string(), subject: z.string(), reason: z.string() })).default([]),
    })
    .default({ severity: {}, allow: [] }),
  cuda: cuda.optional(),
  wheelhouse: wheelhouse.optional(),
});

export type ImageInputs = z.infer<typeof imageInputs>;

/** Of these, what a build reads, where it runs and where it goes: the inputs of `keelson:index:BuildContext`. */
export const sourceInputs = imageInputs.pick({
  imageName: true,
  repository: true,
  registry: true,
  contentHash: true,
  folder: true,
  target: true,
  args: true,
  base: true,
  contexts: true,
  builds: true,
  builder: true,
  wheelhouse: true,
});

export type SourceInputs = z.infer<typeof sourceInputs>;
export type PlatformBuild = z.infer<typeof build>;
export type RegistryInputs = z.infer<typeof registry>;

/**
 * Before the repository of a base that is pushed for an image: the stack's prefix, since elsewhere in a shared registry
 * the stack may not push. None in the embedded registry, where Dockerfiles find bases under their upstream names.
 * @example basePrefix({ imageName: "web", repository: "acme/web", registry: { host: "ghcr.io" } }) // "acme"
 */
export function basePrefix({
  imageName,
  repository,
  registry,
}: Pick<ImageInputs, "imageName" | "repository" | "registry">): string {
  return registry.host !== "embedded" && repository.endsWith(`/${imageName}`)
    ? repository.slice(0, -imageName.length - 1)
    : "";
}

function isSize(text: string): boolean {
  try {
    parseSize(text as Size);
    return true;
  } catch {
    return false;
  }
}
