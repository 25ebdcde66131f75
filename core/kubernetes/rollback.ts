import { type Trouble, WITHOUT_POD } from "./trouble.ts";

/** Asks for the version before where a rollout fails; on the Deployment itself, where `kubectl describe` shows it. */
export const ROLLBACK = "keelson.dev/rollback";

/** What `keelson rollback` leaves on a Deployment that it brought back to what the stack did not apply, until that applies again. */
export const ROLLED_BACK = "keelson.dev/rolled-back";

/** The parts of a Deployment that a rollback looks at; anything may be missing. */
interface Inputs {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, unknown>> };
  readonly spec?: {
    readonly template?: {
      readonly spec?: { readonly containers?: readonly { readonly name?: string; readonly image?: string }[] };
    };
  };
}

/** Whether a Deployment asks for it. */
export function wantsRollback(kind: string, inputs: unknown): boolean {
  return kind === "Deployment" && (inputs as Inputs | undefined)?.metadata?.annotations?.[ROLLBACK] === "true";
}

/** A trouble of a version that has been taken back: what it tells to do has to make sense without its pods. */
export function takenBack(trouble: Trouble): Trouble {
  return { ...trouble, command: trouble.later ?? trouble.command };
}

/** {@link takenBack}, of a release that helm took back: no setting of a workload leaves its pods to be looked at. */
export function takenBackByHelm(trouble: Trouble): Trouble {
  return {
    ...trouble,
    command: (trouble.later ?? trouble.command).replace(WITHOUT_POD, "correct what stands above; then npm run up"),
  };
}

/**
 * What is told of a rollback that was made: which version serves, and which does not.
 * @example describeRollback(before, after) // "rolled back: app runs ghcr.io/acme/web@sha256:1… again, not ghcr.io/acme/web@sha256:2…"
 */
export function describeRollback(before: unknown, after: unknown): string {
  const [old, failed] = [imagesOf(before), imagesOf(after)];
  const moved = [...failed].flatMap(([name, image]) => {
    const was = old.get(name);
    return was === undefined || was === image ? [] : [`${name} runs ${was} again, not ${image}`];
  });
  return `rolled back: ${moved.join("; ") || "it has its earlier settings again; its images are the same"}`;
}

function imagesOf(inputs: unknown): ReadonlyMap<string, string> {
  const containers = (inputs as Inputs | undefined)?.spec?.template?.spec?.containers ?? [];
  return new Map(containers.map(({ name = "", image = "" }) => [name, image]));
}
