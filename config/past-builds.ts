import type { PastBuilds } from "../core/impact.ts";
import { median } from "../core/median.ts";
import type { Plan } from "../core/plan.ts";
import { openHistory } from "../toolchain/history.ts";

/** Builds that a median is taken over. */
const RECENT = 10;

/** What past builds of a plan's images took on this checkout; images that were never built here are left out. */
export function pastBuilds(root: string, plan: Plan): Map<string, PastBuilds> {
  using history = openHistory(root);
  const past = new Map<string, PastBuilds>();
  for (const image of plan.images) {
    const built = image.builds.map(({ platform }) =>
      history.builds(image.name, platform, RECENT).filter((b) => b.outcome === "built"),
    );
    if (built.length === 0 || built.some((b) => b.length === 0)) continue;
    past.set(image.name, {
      seconds: built.reduce((sum, b) => sum + median(b.map((x) => x.seconds)), 0),
      bytes: built.reduce((sum, b) => sum + (b[0]?.compressed ?? 0), 0),
    });
  }
  return past;
}
