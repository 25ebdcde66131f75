import type { PastBuilds } from "../core/impact.ts";
import { median } from "../core/median.ts";
import type { Plan, PlannedImage } from "../core/plan.ts";
import { PLATFORMS, type Platform } from "../core/platform.ts";
import { type BuildRecord, type History, openHistory } from "../toolchain/history.ts";

/** Builds that a median is taken over. */
const RECENT = 10;
/** Builds that a rollback may go back over. */
const LONG_AGO = 100;

/**
 * What past builds of a plan's images took on this checkout; images that were never built here are left out. Bytes of the
 * catalogue's image that one is made from count for that alone.
 */
export function pastBuilds(root: string, plan: Plan): Map<string, PastBuilds> {
  using history = openHistory(root);
  const past = new Map<string, PastBuilds>();
  for (const image of plan.images) {
    const built = image.builds.map(({ platform }) => builtOf(history, image.name, platform));
    if (built.length === 0 || built.some((b) => b.length === 0)) continue;
    past.set(image.name, {
      seconds: built.reduce((sum, b) => sum + median(b.map((x) => x.seconds)), 0),
      bytes: built.reduce((sum, [last]) => sum + ownBytes(history, image, last), 0),
    });
  }
  return past;
}

/** Sizes of an image's platforms before its content was what it is now, as far as this checkout built them. */
export function sizesBefore(
  root: string,
  { name, contentHash, builds }: Pick<PlannedImage, "name" | "contentHash" | "builds">,
): Partial<Record<Platform, { readonly compressed: number; readonly unpacked: number }>> {
  using history = openHistory(root);
  return Object.fromEntries(
    builds.flatMap(({ platform }) => {
      const before = builtOf(history, name, platform).find((b) => b.contentHash !== contentHash);
      const { compressed, unpacked } = before ?? {};
      return compressed === undefined || unpacked === undefined ? [] : [[platform, { compressed, unpacked }]];
    }),
  );
}

/** Names of all images that this checkout has built, sorted: those that have left the catalogue since among them. */
export function imagesBuilt(root: string): string[] {
  using history = openHistory(root);
  return history.images();
}

/**
 * What an image was made from before, newest first, as far as this checkout built it: hashes of content.
 * @param image.contentHash what it is made from now; absent for one that has left the catalogue
 */
export function hashesBefore(
  root: string,
  { name, contentHash }: { readonly name: string; readonly contentHash?: string },
): string[] {
  using history = openHistory(root);
  const built = PLATFORMS.flatMap((platform) => history.builds(name, platform, LONG_AGO))
    .filter(({ outcome }) => outcome === "built")
    .toSorted((a, b) => b.at - a.at);
  return [...new Set(built.map((b) => b.contentHash))].filter((hash) => hash !== contentHash);
}

function builtOf(history: History, image: string, platform: Platform): BuildRecord[] {
  return history.builds(image, platform, RECENT).filter(({ outcome }) => outcome === "built");
}

function ownBytes(history: History, { base }: PlannedImage, last: BuildRecord | undefined): number {
  if (last?.compressed === undefined) return 0;
  const [parent] = base.kind === "image" ? builtOf(history, base.name, last.platform) : [];
  return Math.max(0, last.compressed - (parent?.compressed ?? 0));
}
