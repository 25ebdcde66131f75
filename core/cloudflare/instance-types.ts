/** Sizes that Cloudflare has for an instance (developers.cloudflare.com/containers/platform-details/limits): cores, MiB, MB of disk. */
const SIZES = {
  lite: [1 / 16, 256, 2_000],
  basic: [1 / 4, 1_024, 4_000],
  "standard-1": [1 / 2, 4_096, 8_000],
  "standard-2": [1, 6_144, 12_000],
  "standard-3": [2, 8_192, 16_000],
  "standard-4": [4, 12_288, 20_000],
} as const;

type InstanceType = keyof typeof SIZES;

/** Their names. */
export const INSTANCE_TYPES = Object.keys(SIZES) as [InstanceType, ...InstanceType[]];

/**
 * The name of a size, which Cloudflare may tell by its parts.
 * @example instanceTypeOf({ vcpu: 0.5, memoryMib: 4096, diskMb: 8000 }) // "standard-1"
 */
export function instanceTypeOf(size: {
  readonly vcpu?: number | undefined;
  readonly memoryMib?: number | undefined;
  readonly diskMb?: number | undefined;
}): InstanceType | undefined {
  return INSTANCE_TYPES.find((name) => {
    const [vcpu, memory, disk] = SIZES[name];
    return size.vcpu === vcpu && size.memoryMib === memory && size.diskMb === disk;
  });
}

/** The smallest step that Cloudflare takes, in percent (its API's RolloutStepRequest). */
export const LEAST_STEP = 10;

/** Percentages of a rollout, step by step: they grow, and the last one is all. */
export function areSteps(steps: readonly number[]): boolean {
  return steps.every((step, i) => step > (steps[i - 1] ?? 0)) && steps.at(-1) === 100;
}

/** The steps of an application that says none: wrangler's, which doesn't update a single instance in parts. */
export function usualSteps(maxInstances: number): number[] {
  return maxInstances < 2 ? [100] : [10, 100];
}
