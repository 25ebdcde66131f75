import * as z from "zod";
import { PLATFORMS, type Platform } from "../platform.ts";
import type { ToolSpec } from "../spec/tool-spec.ts";

/** The layout of the volume that this loader writes; others may stand beside it and are left alone. */
export const SCHEMA = 1;

const schema = z.object({
  schema: z.literal(SCHEMA),
  tool: z.string(),
  version: z.string(),
  platform: z.enum(PLATFORMS),
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  encoding: z.enum(["zstd", "gzip"]),
  archive: z.object({
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    size: z.number().int().positive(),
    unpacked: z.number().int().nonnegative(),
    entries: z.number().int().nonnegative(),
  }),
  /** ISO date and the loader's version, for people. */
  created: z.string(),
  loader: z.string(),
});

/** What the volume keeps of one tool: names the archive that holds it. Written once, never changed. */
export type Manifest = z.output<typeof schema>;

/** @returns `foreign` for what a newer loader wrote, `torn` for what is no manifest */
export function parseManifest(text: string): Manifest | "foreign" | "torn" {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "torn";
  }
  const found = (value as { schema?: unknown } | null)?.schema;
  if (typeof found === "number" && found !== SCHEMA) return "foreign";
  return schema.safeParse(value).data ?? "torn";
}

export const MANIFESTS = `v${SCHEMA}/manifests/`;
export const ARCHIVES = `v${SCHEMA}/archives/`;
export const LEASES = `v${SCHEMA}/leases/`;
export const QUARANTINE = `v${SCHEMA}/quarantine/`;

export function manifestKey(spec: Pick<ToolSpec, "name" | "version">, platform: Platform, fingerprint: string): string {
  return `${MANIFESTS}${spec.name}/${platform.replace("/", "-")}/${spec.version}-${fingerprint.slice(0, 16)}.json`;
}

export function archiveKey(manifest: Pick<Manifest, "archive" | "encoding">): string {
  return `${ARCHIVES}${manifest.archive.sha256}.tar.${manifest.encoding === "zstd" ? "zst" : "gz"}`;
}

export function leaseKey(spec: Pick<ToolSpec, "name">, fingerprint: string): string {
  return `${LEASES}${spec.name}-${fingerprint.slice(0, 16)}.json`;
}
