/** Sizes that Cloudflare has for an instance (developers.cloudflare.com/containers/platform-details/limits). */
export const INSTANCE_TYPES = ["lite", "basic", "standard-1", "standard-2", "standard-3", "standard-4"] as const;

/** Percentages of a rollout, step by step: they grow, and the last one is all. */
export function areSteps(steps: readonly number[]): boolean {
  return steps.every((step, i) => step > (steps[i - 1] ?? 0)) && steps.at(-1) === 100;
}
