import { z } from "zod";
import { type Duration, isDuration, parseDuration } from "../core/duration.ts";
import { parseSize, type Size } from "../core/size.ts";

/** A secret as it stands in a stack's file; its value is asked of Pulumi where it is used. */
export const secret = z.object({ secure: z.string() }, { error: "expected a secret" }).strict();
/** A whole number within bounds, which a message then names both of. */
export function whole(min: number, max: number) {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int().min(min, { error }).max(max, { error });
}
export const port = whole(1, 65_535);
/** Processors: as fine as Kubernetes counts them, and no more than a machine has. */
export const cpus = number(0.001, 1024);
/** uid:gid, each as Linux and the API server take them. */
export const user = z
  .string()
  .refine((ids) => /^\d{1,10}:\d{1,10}$/.test(ids) && ids.split(":").every((id) => Number(id) <= 2 ** 31 - 1), {
    error: "expected uid:gid, numbers of at most 2147483647",
  });
const ACCOUNT = "expected a Cloudflare account's id: 32 hex digits";
export const account = z.string({ error: ACCOUNT }).regex(/^[0-9a-f]{32}$/, ACCOUNT);
export const variable = z.string().regex(/^[A-Za-z_]\w*$/, "a variable's name");
export const duration = z.custom<Duration>((value) => typeof value === "string" && isDuration(value), {
  error: 'expected a duration with its unit, such as "30 s"',
});
export const size = z.custom<Size>(
  (value) => typeof value === "string" && /^\d+(?:\.\d+)? ?(?:B|kB|MB|GB|KiB|MiB|GiB)$/.test(value),
  { error: 'expected a size with its unit, such as "512 MiB"' },
);

function number(min: number, max: number) {
  const error = `expected a number from ${min} to ${max}`;
  return z.number().min(min, { error }).max(max, { error });
}

/** @example sizeFrom("8 MiB", "16384 GiB").parse("256 MiB") */
export function sizeFrom(min: Size, max: Size) {
  return size.refine((value) => parseSize(value) >= parseSize(min) && parseSize(value) <= parseSize(max), {
    error: `expected a size from ${min} to ${max}`,
  });
}

/** @example durationFrom("1 s", "24 h").parse("5 min") */
export function durationFrom(min: Duration, max: Duration) {
  return duration.refine(
    (value) => parseDuration(value) >= parseDuration(min) && parseDuration(value) <= parseDuration(max),
    { error: `expected a duration from ${min} to ${max}` },
  );
}

/** Of a container: below the least no program starts, and above the most there is no machine. */
export const memory = sizeFrom("8 MiB", "16384 GiB");
/** Until something serves. */
export const patience = durationFrom("1 s", "24 h");
/** Of a database's volume: below the least PostgreSQL has no room for its own files. */
export const volumeSize = sizeFrom("128 MiB", "65536 GiB");
