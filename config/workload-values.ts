import { z } from "zod";
import { type Duration, isDuration } from "../core/duration.ts";
import type { Size } from "../core/size.ts";

/** A secret as it stands in a stack's file; its value is asked of Pulumi where it is used. */
export const secret = z.object({ secure: z.string() }, { error: "expected a secret" }).strict();
export const port = z.int().min(1).max(65_535);
export const variable = z.string().regex(/^[A-Za-z_]\w*$/, "a variable's name");
export const duration = z.custom<Duration>((value) => typeof value === "string" && isDuration(value), {
  error: 'expected a duration with its unit, such as "30 s"',
});
export const size = z.custom<Size>(
  (value) => typeof value === "string" && /^\d+(?:\.\d+)? ?(?:B|kB|MB|GB|KiB|MiB|GiB)$/.test(value),
  { error: 'expected a size with its unit, such as "512 MiB"' },
);
