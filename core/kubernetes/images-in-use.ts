import type { Keeper } from "../prune.ts";
import { at } from "./applied.ts";

/** What runs pods, keeps versions of them or makes them later, each in its API. */
export const RUNNERS = [
  ["Pod", "v1"],
  ["Deployment", "apps/v1"],
  ["ReplicaSet", "apps/v1"],
  ["StatefulSet", "apps/v1"],
  ["DaemonSet", "apps/v1"],
  ["Job", "batch/v1"],
  ["CronJob", "batch/v1"],
] as const;

/**
 * What keeps images in a registry because a cluster runs them, or can go back to them: every image that its objects name, pods
 * and ReplicaSets without pods among them. A Minikube's node keeps what it runs itself, under names of no registry.
 * @param objects Pods and what makes them
 * @param registry host with port
 */
export function imageKeepers(cluster: string, objects: readonly unknown[], registry: string): Keeper[] {
  const keepers = new Map<string, Keeper>();
  for (const object of objects)
    for (const image of imagesIn(object)) {
      const who = `${String(at(object, "kind"))} ${String(at(object, "metadata", "name"))} on ${cluster} names it`;
      const [, place = "", tag, digest] = /^([^@]+?)(?::([^:/@]+))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(image) ?? [];
      const reference = digest ?? tag;
      if (reference === undefined || !place.startsWith(`${registry}/`)) continue;
      const repository = place.slice(registry.length + 1);
      if (!keepers.has(`${repository} ${reference}`))
        keepers.set(`${repository} ${reference}`, { repository, reference, reason: who });
    }
  return [...keepers.values()];
}

/** A Pod's containers, or those of a template: a CronJob's is its Jobs'. */
function imagesIn(object: unknown): string[] {
  const maker = at(object, "spec", "jobTemplate") ?? object;
  const pod = at(maker, "spec", "template", "spec") ?? at(maker, "spec");
  return ["initContainers", "containers", "ephemeralContainers"].flatMap((key) => {
    const containers = at(pod, key);
    return (Array.isArray(containers) ? containers : []).flatMap((container: unknown) => {
      const image = at(container, "image");
      return typeof image === "string" ? [image] : [];
    });
  });
}
