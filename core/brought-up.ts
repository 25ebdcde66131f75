import type { Snapshot } from "./impact.ts";
import type { PlannedBase, PlannedImage } from "./plan.ts";

/** What a run found or made of a plan: not all of it where it was told to look at some resources alone. */
export interface Brought {
  /** Content hash of each image that stands in the registry; undefined for one that was never made. */
  readonly images: ReadonlyMap<string, string | undefined>;
  /** Hosts that run what the plan says. */
  readonly hosts: ReadonlySet<string>;
}

/**
 * What a stack is after a run: the plan, where the run touched all of it; what was before, where it did not. An image or a
 * host that was passed over counts as it was, and one that never was there not at all.
 * @param before what the run before left; undefined before the first
 * @example broughtUp(before, wanted, { images: new Map([["web", "0ab1…"]]), hosts: new Set() }).plan.images
 */
export function broughtUp(before: Snapshot | undefined, wanted: Snapshot, brought: Brought): Snapshot {
  const { plan } = wanted;
  const passed = plan.images.filter(({ name, contentHash }) => brought.images.get(name) !== contentHash);
  const hostsPassed = (plan.hosts ?? []).filter(({ name }) => !brought.hosts.has(name));
  if (passed.length === 0 && hostsPassed.length === 0) return wanted;
  const passedNames = new Set(passed.map(({ name }) => name));
  const was = <T>(items: readonly T[] | undefined, nameOf: (item: T) => string, name: string): T[] =>
    (items ?? []).filter((item) => nameOf(item) === name);
  const images = plan.images.flatMap((image) =>
    passedNames.has(image.name) ? was(before?.plan.images, ({ name }) => name, image.name) : [image],
  );
  // A base that an image which was passed over is made from is still the one of then.
  const old = images.filter(({ name }) => passedNames.has(name));
  const bases = plan.bases.map((base) => {
    const [former] = was(before?.plan.bases, ({ name }) => name, base.name);
    return former !== undefined && old.some((image) => isMadeFrom(image, former)) ? former : base;
  });
  const catalogue = wanted.catalogue.flatMap((one) => {
    const { name } = one.definition;
    return passedNames.has(name) ? was(before?.catalogue, ({ definition }) => definition.name, name) : [one];
  });
  const hosts = plan.hosts?.flatMap((host) =>
    hostsPassed.includes(host) ? was(before?.plan.hosts, ({ name }) => name, host.name) : [host],
  );
  // What a cluster runs is not told one by one: where an image was passed over, all of it counts as it was.
  const clusters = passed.length === 0 ? plan.clusters : before?.plan.clusters;
  const { hosts: _, clusters: __, ...rest } = plan;
  return {
    plan: {
      ...rest,
      bases,
      images,
      ...(hosts === undefined ? {} : { hosts }),
      ...(clusters === undefined ? {} : { clusters }),
    },
    catalogue,
  };
}

/** Whether an image is built on a base, or takes files from it or from the lock in its place. */
function isMadeFrom({ base, contexts }: PlannedImage, { name, lock }: PlannedBase): boolean {
  const taken = Object.values(contexts).some((context) => {
    if (context.kind === "base") return context.base === name;
    return context.kind === "lock" && context.file === lock;
  });
  return base.name === name || taken;
}
