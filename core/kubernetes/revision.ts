import { UserError } from "../error.ts";
import { at } from "./applied.ts";
import type { ReplicaSet } from "./objects.ts";
import { imagesOf, settingsOf } from "./workload-status.ts";

/** A template to go back to. */
export interface Revision {
  readonly template: Readonly<Record<string, unknown>>;
  readonly image: string;
}

/** The label that the deployment controller adds to each ReplicaSet's template. */
const HASH_LABEL = "pod-template-hash";

/**
 * The template of the newest version before the one that runs, or of the newest that ran an image of this digest.
 * @param revisions newest first, the running one among them
 * @param digest `sha256:…`; absent: the version before
 * @throws UserError where there is none
 */
export function templateBefore(
  service: string,
  revisions: readonly ReplicaSet[],
  digest: string | undefined,
): Revision["template"] {
  const templates = revisions.slice(1).map((set) => withoutHash(at(set, "spec", "template")));
  const found = templates.find((template) => {
    const [image = ""] = imagesOf(template);
    return digest === undefined || digest.startsWith(digestOf(image));
  });
  if (found === undefined) {
    const kept = [...new Set(templates.flatMap((template) => imagesOf(template).slice(0, 1)))];
    throw new UserError(
      digest === undefined ? `${service}: nothing ran before` : `${service}: no version of ${digest} is kept`,
      kept.length === 0 ? "bring it up with another image" : `name the digest of one of: ${kept.join(", ")}`,
    );
  }
  return found;
}

/**
 * What a Deployment goes back to: that version, or its image with the settings of now, where those that it ran with are gone.
 * @param found the template of {@link templateBefore}
 * @param isThere whether a ConfigMap or Secret that it names is still there
 * @throws UserError where nothing of it is left
 */
export function revisionBefore(
  service: string,
  live: unknown,
  found: Revision["template"],
  isThere: (kind: "ConfigMap" | "Secret", name: string) => boolean,
): Revision & { readonly lost: readonly string[] } {
  const present = at(live, "spec", "template");
  const [running = ""] = imagesOf(present);
  const [image = ""] = imagesOf(found);
  const lost = settingsOf(found).filter(({ kind, name }) => !isThere(kind, name));
  if (lost.length === 0) return { template: found, image, lost: [] };
  const names = lost.map(({ kind, name }) => `${kind} ${name}`);
  if (image === running)
    throw new UserError(
      `${service}: the version before ran the same image with settings that are gone: ${names.join(", ")}`,
      "change the workload's settings in the stack's file, then run `npm run up`",
    );
  return { template: withImage(present, image), image, lost: names };
}

/** Minikube's nodes have images under names with the begin of their digest. */
function digestOf(image: string): string {
  return image.replace(/^.*(?:@sha256:|:sha256-)/, "sha256:");
}

function withoutHash(template: unknown): Readonly<Record<string, unknown>> {
  const { metadata, ...rest } = (template ?? {}) as { readonly metadata?: { readonly labels?: object } };
  const labels = Object.entries(metadata?.labels ?? {}).filter(([key]) => key !== HASH_LABEL);
  const { creationTimestamp: _, ...meta } = { creationTimestamp: undefined, ...metadata };
  return { ...rest, metadata: { ...meta, labels: Object.fromEntries(labels) } };
}

function withImage(template: unknown, image: string): Readonly<Record<string, unknown>> {
  const whole = withoutHash(template);
  const [first, ...others] = at(whole, "spec", "containers") as readonly Readonly<Record<string, unknown>>[];
  return { ...whole, spec: { ...(whole.spec as object), containers: [{ ...first, image }, ...others] } };
}
