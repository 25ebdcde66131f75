/** Says of a Deployment that how many pods it has is somebody else's from now on, such as an autoscaler's: the number of now stays until then. */
export const REPLICAS_STAY = "keelson.dev/replicas-stay";

/** The parts of a Deployment that say so. */
interface Inputs {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, unknown>> };
  readonly spec?: { readonly replicas?: unknown };
}

/** Whether a Deployment says no number, and asks for the one of now. */
export function replicasStay(kind: string, inputs: unknown): boolean {
  const { metadata, spec } = (inputs ?? {}) as Inputs;
  return kind === "Deployment" && spec?.replicas === undefined && metadata?.annotations?.[REPLICAS_STAY] === "true";
}
