import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { PlannedImage } from "../core/plan.ts";

const records = z.array(
  z.object({
    platform: z.string(),
    compressed: z.int().positive(),
    locks: z.record(z.string(), z.string()),
    archs: z.array(z.object({ arch: z.string(), sass: z.int().nonnegative(), ptx: z.int().nonnegative() })),
  }),
);

/** What a GPU image held when it was built from the locks that it has now. Sizes in bytes. */
export interface CudaRecord {
  readonly compressed: number;
  readonly archs: readonly { readonly arch: string; readonly sass: number; readonly ptx: number }[];
  /** Relative to the project. */
  readonly file: string;
}

/**
 * The record of an image too large to be built everywhere, `<folder>/<track>.built.json`, which `keelson report cuda --json` writes.
 * @returns undefined where there is none, or it is of other locks.
 */
export function cudaRecord(root: string, planned: PlannedImage, platform = "linux/amd64"): CudaRecord | undefined {
  const track = /-(cu\d+)$/.exec(planned.name)?.[1];
  const file = `${planned.folder}/${track}.built.json`;
  if (track === undefined || !existsSync(join(root, file))) return undefined;
  const locks = Object.values(planned.contexts).flatMap((c) => (c.kind === "lock" ? [c.hash] : []));
  const same = records
    .parse(JSON.parse(readFileSync(join(root, file), "utf8")))
    .find((one) => one.platform === platform && Object.values(one.locks).every((hash) => locks.includes(hash)));
  return same && { compressed: same.compressed, archs: same.archs, file };
}
