import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { writeDurably } from "./durable.ts";

/** The name that 000 gave it. */
export const MARKER = ".installed";

/** Where a tool came from. */
export const SOURCES = ["volume", "download", "baked"] as const;
export type Source = (typeof SOURCES)[number];

const schema = z.object({
  tool: z.string(),
  version: z.string(),
  fingerprint: z.string(),
  source: z.enum(SOURCES),
  /** ISO date, for people. */
  installed: z.string(),
  /** Seconds that it took. */
  seconds: z.number(),
  /** Hex sha256 of the archive on the volume, once it is there. */
  archive: z.string().optional(),
});

/** What `.installed` says: this tree is complete and was verified. */
export type Marker = z.output<typeof schema>;

/** @returns undefined where there is none or it isn't whole. */
export async function readMarker(tree: string): Promise<Marker | undefined> {
  const text = await readFile(join(tree, MARKER), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The last step of an installation: everything else is on disk before. */
export async function writeMarker(tree: string, marker: Marker): Promise<void> {
  await writeDurably(join(tree, MARKER), `${JSON.stringify(marker, null, 2)}\n`);
}
