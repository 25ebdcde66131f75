import { parseDuration } from "../duration.ts";
import type { Health } from "../image.ts";

/** How Kubernetes asks: seconds and counts as the API has them. */
export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: number };
  readonly exec?: { readonly command: string[] };
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

export interface Probes {
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
}

/** While it starts it is asked every two seconds, so that a quick start is a quick rollout. */
const START_PERIOD = 2;

/**
 * Probes from an image's health: it has `within` to start, is then asked whether it serves, and is ended only where it has
 * not answered for half a minute: a busy program is not a dead one.
 * @param ready path that says whether requests can be served; default: the health's own
 */
export function probesOf(health: Health | undefined, ready?: string): Probes {
  if (health?.http === undefined && health?.command === undefined) return {};
  const { port, path } = health.http ?? { port: 0, path: "" };
  const asked = (at: string) =>
    health.http === undefined ? { exec: { command: [...(health.command ?? [])] } } : { httpGet: { path: at, port } };
  const attempts = Math.max(1, Math.ceil(parseDuration(health.within) / START_PERIOD));
  return {
    startupProbe: { ...asked(path), periodSeconds: START_PERIOD, timeoutSeconds: 5, failureThreshold: attempts },
    readinessProbe: {
      ...asked(health.http === undefined ? path : (ready ?? path)),
      periodSeconds: 5,
      timeoutSeconds: 5,
      failureThreshold: 2,
    },
    livenessProbe: { ...asked(path), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
  };
}
